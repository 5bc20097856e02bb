//! Those who wait, in the order of their arrival.
//!
//! **How many units come before somebody is known in O(log n), also when others leave from anywhere.**

/// Tickets in the order of their numbers, with the units each is still to spend.
///
/// A Fenwick tree over a list that only grows at its end. Those who leave stay in it as nothing until they are more
/// than half of it; then it is built anew. A ticket is found by its number, which no other ever had, so one that is
/// not found has no slot to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: Vec<Entry>,
    /// `sums[i]` covers as many entries up to `i` as the lowest set bit of `i + 1` says.
    sums: Vec<u64>,
    /// The first entry that still waits.
    front: usize,
    /// Units of the tree whose time has come: those before `front`, and some of the front's own.
    passed: u64,
    /// Of those, the front's own.
    passed_of_front: u32,
    /// Units to come.
    units: u64,
    waiting: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    units: u32,
}

/// Below this many entries, those who left are not worth the work.
const SMALL: usize = 64;

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Returns how many units all together are to come.
    pub(super) const fn units(&self) -> u64 {
        self.units
    }

    /// Returns who is next.
    pub(super) fn front(&self) -> Option<u64> {
        self.entries.get(self.front).map(|entry| entry.id)
    }

    /// Returns how many units of the next one are to come.
    pub(super) fn front_units(&self) -> Option<u32> {
        let front = self.entries.get(self.front)?;
        Some(front.units - self.passed_of_front)
    }

    /// Adds a ticket whose number is above all others'.
    pub(super) fn push(&mut self, id: u64, units: u32) {
        self.append(Entry { id, units });
        self.units += u64::from(units);
        self.waiting += 1;
    }

    /// Returns how many units are to come up to this ticket's last, or `None` if none of its own are.
    pub(super) fn through(&self, id: u64) -> Option<u64> {
        let place = self.find(id)?;
        Some(self.sum(place) - self.passed)
    }

    /// The first unit's time has come.
    pub(super) fn spend(&mut self) {
        let Some(front) = self.entries.get(self.front) else {
            return;
        };
        self.units -= 1;
        self.passed += 1;
        self.passed_of_front += 1;
        if self.passed_of_front == front.units {
            self.advance();
        }
    }

    /// Takes a ticket and its units to come out; false if it had none.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let Some(place) = self.find(id) else {
            return false;
        };
        let entry = &mut self.entries[place];
        let kept = if place == self.front {
            self.passed_of_front
        } else {
            0
        };
        let units = u64::from(entry.units - kept);
        entry.units = kept;
        self.units -= units;
        let mut at = place;
        while let Some(sum) = self.sums.get_mut(at) {
            *sum -= units;
            at |= at + 1;
        }
        if place == self.front {
            self.advance();
        } else {
            self.waiting -= 1;
            self.tidy();
        }
        true
    }

    /// The front is done with; the next one who has not left is the front.
    fn advance(&mut self) {
        self.waiting -= 1;
        self.passed_of_front = 0;
        self.front += 1;
        while (self.entries.get(self.front)).is_some_and(|entry| entry.units == 0) {
            self.front += 1;
        }
        self.tidy();
    }

    /// Forgets those who left once they are the most.
    fn tidy(&mut self) {
        let gone = self.entries.len() - self.waiting;
        if self.waiting == 0 && gone < SMALL {
            self.entries.clear();
            self.sums.clear();
        } else if gone >= SMALL && gone > self.entries.len() / 2 {
            let mut entries = self.entries.split_off(self.front);
            entries.retain(|entry| entry.units > 0);
            self.entries = Vec::with_capacity(entries.len() * 2);
            self.sums = Vec::with_capacity(entries.len() * 2);
            let passed_of_front = self.passed_of_front;
            for (place, mut entry) in entries.into_iter().enumerate() {
                if place == 0 {
                    entry.units -= passed_of_front;
                }
                self.append(entry);
            }
            self.passed_of_front = 0;
        } else {
            return;
        }
        self.front = 0;
        self.passed = 0;
    }

    fn append(&mut self, entry: Entry) {
        let place = self.entries.len();
        self.entries.push(entry);
        // The new sum is the entry's own and those of the ranges that the new one encloses.
        let mut sum = u64::from(entry.units);
        let start = place & (place + 1);
        let mut end = place;
        while end > start {
            sum += self.sums[end - 1];
            end &= end - 1;
        }
        self.sums.push(sum);
    }

    /// Sums the entries up to and with this one.
    fn sum(&self, place: usize) -> u64 {
        let mut end = place + 1;
        let mut sum = 0;
        while end > 0 {
            sum += self.sums[end - 1];
            end &= end - 1;
        }
        sum
    }

    fn find(&self, id: u64) -> Option<usize> {
        let waiting = self.entries.get(self.front..)?;
        if waiting.first()?.id > id {
            return None;
        }
        let place = waiting.binary_search_by_key(&id, |entry| entry.id).ok()?;
        (waiting[place].units > 0).then_some(self.front + place)
    }
}
