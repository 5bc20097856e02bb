use super::*;
use crate::flags::{Rule, Worse, entry::hash};
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn share(percent: f64) -> Rule {
    Rule::share(percent).unwrap()
}

fn one(rule: impl Into<Rule>) -> Flags {
    Flags::builder().flag("a", rule).build()
}

fn json(text: &str) -> Config {
    Config::from_json(text).unwrap()
}

const MS: Duration = Duration::from_millis(1);

/// The algorithm is documented, so that others can compute it: these are the test vectors of it.
#[test]
fn the_same_key_has_the_same_place_everywhere() {
    assert_eq!(xxh32(b"", 0), 0x02cc_5d05);
    assert_eq!(xxh32(b"abc", 0), 0x32d1_53ff);
    for (salt, flag, key, expected) in [
        ("", "a", "b", xxh32(b"a\0b", 0x02cc_5d05)),
        (
            "abc",
            "retries",
            "tower-rs/tower",
            xxh32(b"retries\0tower-rs/tower", 0x32d1_53ff),
        ),
    ] {
        assert_eq!(hash(xxh32(salt.as_bytes(), 0), flag, key), expected);
    }
}

#[test]
fn a_share_is_as_large_as_it_says_over_the_whole_range() {
    for percent in [1.0, 12.5, 50.0, 99.0] {
        let flags = one(share(percent));
        let on = (0..100_000).filter(|key| flags.is_on("a", &key.to_string()));
        let found = f64::from(u32::try_from(on.count()).unwrap()) / 1000.0;
        assert!((found - percent).abs() < 0.5, "{found} of {percent}");
    }
    let hashes = (0..1000).map(|key: u32| hash(7, "a", &key.to_string()));
    assert!(
        hashes.clone().max().unwrap() > u32::MAX / 100 * 99,
        "all 32 bits"
    );
    assert!(hashes.min().unwrap() < u32::MAX / 100);
}

#[test]
fn who_is_in_stays_in_while_the_share_grows() {
    let keys: Vec<_> = (0..500).map(|key| format!("key-{key}")).collect();
    let flags = one(false);
    let mut before = vec![false; keys.len()];
    for percent in [0.1, 1.0, 10.0, 33.3, 50.0, 99.9, 100.0] {
        flags
            .apply(&Config::default().with("a", share(percent)))
            .unwrap();
        let now: Vec<_> = keys.iter().map(|key| flags.is_on("a", key)).collect();
        assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
        before = now;
    }
    assert!(before.iter().all(|on| *on));
}

#[test]
fn flags_and_salts_choose_independently() {
    let of = |salt: &'static str, name: &'static str| {
        let flags = Flags::builder().salt(salt).flag(name, share(50.0)).build();
        (0..1000).map(move |key| flags.is_on(name, &key.to_string()))
    };
    for other in [of("", "b"), of("x", "a")] {
        let same = of("", "a").zip(other).filter(|(a, b)| a == b).count();
        assert!((420..580).contains(&same), "{same} of 1000 are the same");
    }
}

#[test]
fn keys_by_name_come_before_the_share() {
    let flags = one(Rule::off().on_for("me"));
    assert!(flags.is_on("a", "me") && !flags.is_on("a", "you"));
    let flags = one(Rule::on().off_for("me"));
    assert!(!flags.is_on("a", "me") && flags.is_on("a", "you"));
}

#[test]
fn a_wrong_configuration_changes_nothing_and_is_told_until_a_good_one_comes() {
    let flags = Flags::builder().flag("a", false).flag("b", true).build();
    flags.apply(&json(r#"{"a": true}"#)).unwrap();
    for wrong in [
        r#"{"b": false, "c": true}"#,
        r#"{"b": false, "B": false}"#,
        r#"{"a": 1e3}"#,
        "{",
    ] {
        let error = flags.apply_json(wrong).unwrap_err();
        let refused = flags.status().refused.unwrap();
        assert!(refused == error.to_string() || refused.contains("line 1"));
        assert!(flags.is_on("a", "k") && flags.is_on("b", "k"), "{wrong}");
    }
    let told = flags.apply_json(r#"{"a": "sk-secret"}"#).unwrap_err();
    assert!(
        told.to_string().contains("sk-secret"),
        "whoever wrote it is told"
    );
    let refused = flags.status().refused.unwrap();
    assert_eq!(refused, "it is wrong at line 1, column 17");
    flags.apply_json(r#"{"b": false}"#).unwrap();
    assert_eq!(flags.status().refused, None);
    assert!(!flags.is_on("a", "k"), "back to its default");
    assert!(!flags.is_on("b", "k"));
}

#[test]
fn variables_find_their_flag() {
    let flags = Flags::builder().flag("newSearch", false).build();
    let variables = [("X_NEW_SEARCH".to_owned(), "on".to_owned())];
    flags
        .apply(&Config::from_env("X_", variables).unwrap())
        .unwrap();
    assert!(flags.is_on("newSearch", "k"));
    let twice = flags.apply_json(r#"{"newSearch": false, "newsearch": true}"#);
    let message = "the flag \"newSearch\" is there twice";
    assert_eq!(twice.unwrap_err().to_string(), message);
    assert!(flags.is_on("newSearch", "k"));
}

/// Two groups of which every tenth of the one fails, and the other never.
fn compare(flag: &Flag, n: u64, failing: bool) {
    for n in 0..n {
        flag.record(true, !(failing && n % 10 == 0), 10 * MS);
        flag.record(false, true, 10 * MS);
    }
}

#[test]
fn who_does_worse_is_told_once_for_each_time_that_it_begins() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let alerts = Arc::clone(&told);
    let flags = Flags::builder()
        .flag("a", share(50.0))
        .on_alert(move |alert| alerts.lock().unwrap().push(alert.clone()))
        .build();
    let flag = flags.get("a").unwrap();
    compare(&flag, 199, true);
    assert!(told.lock().unwrap().is_empty(), "too few to say");
    compare(&flag, 500, true);
    let alerts = told.lock().unwrap().clone();
    let [alert] = &*alerts else {
        panic!("{alerts:?}")
    };
    assert_eq!((&*alert.flag, alert.worse), ("a", Worse::Failures));
    assert!(alert.was_on);
    assert!(alert.to_string().starts_with("a is on for 2"), "{alert}");
    assert!(flags.status().flags["a"].is_worse);
    // As it mends, it is armed again.
    compare(&flag, 20_000, false);
    assert!(!flags.status().flags["a"].is_worse);
    compare(&flag, 20_000, true);
    assert_eq!(told.lock().unwrap().len(), 2);
}

#[test]
fn who_is_slower_is_told() {
    let told = Arc::new(AtomicU64::new(0));
    let alerts = Arc::clone(&told);
    let flags = Flags::builder()
        .flag("a", share(50.0))
        .on_alert(move |alert| {
            assert_eq!(alert.worse, Worse::Slower);
            alerts.fetch_add(1, Relaxed);
        })
        .build();
    let flag = flags.get("a").unwrap();
    for n in 0..400 {
        flag.record(true, true, MS * if n % 10 == 0 { 100 } else { 10 });
        flag.record(false, true, 10 * MS);
    }
    assert_eq!(told.load(Relaxed), 1);
}

#[test]
fn another_rule_begins_another_comparison() {
    let flags = one(share(50.0));
    let flag = flags.get("a").unwrap();
    compare(&flag, 300, true);
    assert_eq!(flags.status().flags["a"].on.count, 300);
    flags.apply_json(r#"{"a": 50}"#).unwrap();
    assert_eq!(
        flags.status().flags["a"].on.count,
        300,
        "the rule is the same"
    );
    flags.apply_json(r#"{"a": 60}"#).unwrap();
    let status = &flags.status().flags["a"];
    assert_eq!(
        (status.on.count, status.off.count, status.is_worse),
        (0, 0, false)
    );
    flags.apply_json(r#"{"a": true}"#).unwrap();
    compare(&flag, 300, true);
    assert_eq!(
        flags.status().flags["a"].on.count,
        0,
        "there is no rest to compare with"
    );
}

#[test]
fn the_status_says_what_holds() {
    let flags = Flags::builder()
        .flag("a", true)
        .flag("b", share(25.0).on_for("me"))
        .build();
    flags
        .apply_json(r#"{"a": 12.5}"#)
        .unwrap_or_else(|error| panic!("{error}"));
    let status = serde_json::to_value(flags.status()).unwrap();
    assert_eq!(status["a"]["percent"], 12.5);
    assert_eq!(status["a"]["isDefault"], false);
    assert_eq!(status["b"]["percent"], 25.0);
    assert_eq!(status["b"]["namedOn"], 1);
    assert_eq!(status["b"]["isDefault"], true);
    assert_eq!(status.get("$refused"), None);
    assert_eq!(format!("{flags:?}"), r#"["a", "b"]"#);
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "\"$refused\" is no name of a flag")]
fn a_name_that_the_status_has_itself_is_no_name_of_a_flag() {
    let _ = Flags::builder().flag("$refused", true);
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "the flag \"a_b\" has another spelling")]
fn flags_that_variables_do_not_tell_apart_are_not_built() {
    let flags = Flags::builder().flag("a_b", true).flag("aB", true);
    flags.build();
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "there is no flag \"b\"; there are a")]
fn a_flag_that_was_not_declared_is_named() {
    one(true).is_on("b", "k");
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
#[should_panic(expected = "the flag \"a\" is declared twice")]
fn a_flag_that_is_declared_twice_is_named() {
    let _ = Flags::builder().flag("a", true).flag("a", true);
}

/// Computed with another implementation of XXH32. What stands here may never change: it would move everybody.
#[test]
fn the_places_of_keys_are_written_down() {
    for (salt, flag, key, expected) in [
        ("", "a", "", 0xb0c6_16fc),
        ("", "a", "b", 0xd664_afef),
        ("", "newSearch", "tower-rs/tower", 0xe05a_e6fd),
        ("2026", "newSearch", "tower-rs/tower", 0xa632_c199),
        ("", "retries", "user-42", 0xbdb6_377e),
        ("", "rateLimit", "user-42", 0xc2b6_21eb),
        ("", "größe", "日本/🦀", 0x86c8_e5c7),
        ("s", "a", &"0123456789".repeat(10), 0x65ec_571c),
    ] {
        let place = hash(xxh32(salt.as_bytes(), 0), flag, key);
        assert_eq!(place, expected, "{salt} {flag} {key}");
        // It is on from exactly that share on.
        let rule = |percent| Rule::share(percent).unwrap();
        let flags = |rule| Flags::builder().salt(salt).flag(flag, rule).build();
        let share = (f64::from(expected) + 0.5) * 100.0 / 4_294_967_296.0;
        assert!(!flags(rule(share - 1e-7)).is_on(flag, key));
        assert!(flags(rule(share + 1e-7)).is_on(flag, key));
    }
}

/// The one rule takes its turn after the other, with nothing between them.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn a_key_that_two_rules_agree_on_is_never_off_while_they_change() {
    let rules = [
        [Rule::on(), Rule::off().on_for("me")],
        [Rule::on().off_for("you"), Rule::off().on_for("me")],
        [share(99.0).on_for("me"), Rule::on()],
    ];
    for rules in rules {
        let flags = one(rules[0].clone());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let configs = rules.map(|rule| Config::default().with("a", rule));
                for turn in 0..30_000 {
                    flags.apply(&configs[turn % 2]).unwrap();
                }
                done.store(true, Relaxed);
            });
            let flag = flags.get("a").unwrap();
            while !done.load(Relaxed) {
                assert!(flag.is_on("me"));
                assert_ne!(flag.for_all(), Some(false));
            }
        });
    }
}

/// Who applies last has applied all of it.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn two_configurations_at_once_are_not_mixed() {
    let names: Vec<_> = (0..20).map(|n| format!("f{n}")).collect();
    let builder = names.iter().fold(Flags::builder(), |builder, name| {
        builder.flag(name.as_str(), false)
    });
    let flags = builder.build();
    // Rules that it takes a while to take on.
    let rule = |on: bool| {
        let keys = (0..300).map(|key| format!("{on} {key}"));
        keys.fold(Rule::from(on), |rule, key| rule.on_for(key))
    };
    let config = |on: bool| {
        names.iter().fold(Config::default(), |config, name| {
            config.with(name.as_str(), rule(on))
        })
    };
    let configs = [config(false), config(true)];
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for turn in 0..2 {
            let (flags, configs, barrier, names) = (&flags, &configs, &barrier, &names);
            scope.spawn(move || {
                for round in 0..300 {
                    barrier.wait();
                    flags.apply(&configs[turn]).unwrap();
                    barrier.wait();
                    let on = names.iter().filter(|name| flags.is_on(name, "k")).count();
                    assert!(on == 0 || on == names.len(), "{on} in round {round}");
                }
            });
        }
    });
}

#[test]
fn flags_with_other_letters_are_other_flags() {
    let names = ["日本", "中国", "größe", "grosse", "--"];
    let flags = names
        .iter()
        .fold(Flags::builder(), |builder, name| builder.flag(*name, false));
    let flags = flags.build();
    let file = names
        .iter()
        .fold(Config::default(), |file, name| file.with(*name, true));
    let over = Config::default().with("中国", false).with("größe", false);
    flags.apply(&file.with_all(over)).unwrap();
    let on = names.map(|name| flags.is_on(name, "k"));
    assert_eq!(on, [true, false, false, true, true]);
}

#[test]
fn what_is_told_of_a_wrong_configuration_is_short() {
    let flags = one(true);
    let name = "x\n".repeat(1_000_000);
    let error = flags
        .apply(&Config::default().with(name.as_str(), true))
        .unwrap_err();
    let refused = flags.status().refused.unwrap();
    assert!(refused.len() < 300, "{} bytes", refused.len());
    assert!(error.to_string().len() < 300);
    assert!(!refused.contains('\n'));
    for wrong in [
        "{\"a\": \"sk-secret\"}",
        "{\"a\": {\"on\": \"sk-secret\", \"percent\": 5}}",
        "{\"a\": {\"percent\": 5, \"sk-secret\": 1}}",
        "{\"a\": 1, \"b\": [\"sk-secret\"]}",
        "{\"a\": {\"percent\": 1, \"on\": [\"sk-secret\"], \"off\": [\"sk-secret\"]}}",
        "sk-secret",
    ] {
        flags.apply_json(wrong).unwrap_err();
        let refused = flags.status().refused.unwrap();
        assert!(!refused.contains("secret"), "{refused}");
    }
}

fn worse(hook: impl Fn(&Alert) + Send + Sync + 'static) -> Flags {
    let flags = Flags::builder().flag("a", share(50.0)).on_alert(hook);
    flags.build()
}

/// It may be called from a drop, also while something else unwinds: that would be the end of the program.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn a_hook_that_panics_harms_nobody() {
    let flags = worse(|_| panic!("on purpose"));
    let flag = flags.get("a").unwrap();
    compare(&flag, 500, true);
    assert!(flags.status().flags["a"].is_worse);
    assert_eq!(flags.status().flags["a"].on.count, 500);
}

/// As one does who takes a rollout back.
#[test]
fn a_hook_may_change_the_flags() {
    let own: Arc<std::sync::OnceLock<Flags>> = Arc::default();
    let inner = Arc::clone(&own);
    let flags = worse(move |alert| {
        let flags = inner
            .get()
            .expect("it is there before anything is recorded");
        flags
            .apply_json(&format!("{{\"{}\": false}}", alert.flag))
            .expect("a good one");
        flags
            .get("a")
            .expect("it was declared")
            .record(true, false, MS);
    });
    own.set(flags.clone()).expect("once");
    compare(&flags.get("a").unwrap(), 500, true);
    assert!(!flags.is_on("a", "anybody"));
    let status = &flags.status().flags["a"];
    assert_eq!((status.on.count, status.is_worse), (0, false));
}

/// A rollout that has stood for days: what breaks now is news now.
#[test]
fn what_breaks_after_a_long_time_is_told_soon() {
    let told = Arc::new(AtomicU64::new(0));
    let alerts = Arc::clone(&told);
    let flags = worse(move |alert| {
        assert!(alert.was_on);
        alerts.fetch_add(1, Relaxed);
    });
    let flag = flags.get("a").unwrap();
    compare(&flag, 100_000, false);
    for _ in 0..1000 {
        flag.record(true, false, 10 * MS);
        flag.record(false, true, 10 * MS);
    }
    assert_eq!(told.load(Relaxed), 1);
}

/// A comparison is not missed because several record at once.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn who_does_worse_is_told_however_many_record_at_once() {
    for round in 0..20 {
        let told = Arc::new(AtomicU64::new(0));
        let alerts = Arc::clone(&told);
        let flags = worse(move |_| {
            alerts.fetch_add(1, Relaxed);
        });
        let flag = flags.get("a").unwrap();
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    // 600 in all: it is looked at after 500 and 600 at the latest.
                    for n in 0..75 {
                        flag.record(n % 2 == 0, n % 2 == 1, 10 * MS);
                    }
                });
            }
        });
        assert_eq!(told.load(Relaxed), 1, "round {round}");
    }
}

/// The alert read them after it was known, when another rule had forgotten them or others had recorded more.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn an_alert_has_the_figures_that_it_is_about() {
    let (told, wrong) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let (alerts, found) = (Arc::clone(&told), Arc::clone(&wrong));
    let flags = worse(move |alert| {
        alerts.fetch_add(1, Relaxed);
        let counts = alert.on.count.min(alert.off.count);
        if counts < 200 || alert.on.failed == 0 || !alert.was_on {
            *found.lock().unwrap() = Some(alert.to_string());
        }
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let configs = [50.0, 60.0].map(|percent| Config::default().with("a", share(percent)));
            let seen = |least| !done.load(Relaxed) && told.load(Relaxed) < least;
            for turn in 1..=150 {
                // As soon as there is something to be told.
                while seen(turn) {
                    std::hint::spin_loop();
                    let status = &flags.status().flags["a"];
                    if status.on.count.min(status.off.count) >= 200 {
                        break;
                    }
                }
                flags
                    .apply(&configs[usize::try_from(turn).unwrap() % 2])
                    .unwrap();
            }
            done.store(true, Relaxed);
        });
        let flag = flags.get("a").unwrap();
        while !done.load(Relaxed) {
            compare(&flag, 1, true);
            flag.record(true, false, MS);
            flag.record(false, true, MS);
        }
    });
    assert!(told.load(Relaxed) > 10);
    assert_eq!(*wrong.lock().unwrap(), None);
}

#[test]
fn no_name_is_the_name_of_no_flag() {
    let flags = Flags::builder().flag("--", false).build();
    let error = flags.apply(&Config::default().with("", true)).unwrap_err();
    assert_eq!(error.to_string(), "there is no flag \"\"; there are --");
    flags.apply(&Config::default().with("--", true)).unwrap();
    assert!(flags.is_on("--", "k"));
}
