//! The families of one header per figure: `x-ratelimit-*`, `x-rate-limit-*`, `ratelimit-*`,
//! `anthropic-*`.

use crate::quota::Unit;

/// A set of headers that describe one quota, or one per column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    XRateLimit,
    XRateLimitRequests,
    XRateLimitTokens,
    XDashedRateLimit,
    RateLimit,
    AnthropicRequests,
    AnthropicTokens,
    AnthropicInputTokens,
    AnthropicOutputTokens,
    AnthropicPriorityInputTokens,
    AnthropicPriorityOutputTokens,
}

/// What one header of a family says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Limit,
    Remaining,
    Used,
    Reset,
    Resource,
}

impl Family {
    pub(crate) const ALL: [Self; 11] = [
        Self::XRateLimit,
        Self::XRateLimitRequests,
        Self::XRateLimitTokens,
        Self::XDashedRateLimit,
        Self::RateLimit,
        Self::AnthropicRequests,
        Self::AnthropicTokens,
        Self::AnthropicInputTokens,
        Self::AnthropicOutputTokens,
        Self::AnthropicPriorityInputTokens,
        Self::AnthropicPriorityOutputTokens,
    ];

    /// Tells which family a header belongs to, and which figure of it.
    pub(crate) fn recognise(name: &str) -> Option<(Self, Figure)> {
        let (family, figure) = match name.as_bytes().first()? {
            b'x' => match name.strip_prefix("x-ratelimit-") {
                Some(rest) => Self::of_x_ratelimit(rest),
                None => (Self::XDashedRateLimit, name.strip_prefix("x-rate-limit-")?),
            },
            b'r' => (Self::RateLimit, name.strip_prefix("ratelimit-")?),
            b'a' => Self::of_anthropic(name.strip_prefix("anthropic-")?)?,
            _ => return None,
        };
        Some((family, Figure::named(figure)?))
    }

    fn of_x_ratelimit(rest: &str) -> (Self, &str) {
        if let Some(figure) = rest.strip_suffix("-requests") {
            (Self::XRateLimitRequests, figure)
        } else if let Some(figure) = rest.strip_suffix("-tokens") {
            (Self::XRateLimitTokens, figure)
        } else {
            (Self::XRateLimit, rest)
        }
    }

    fn of_anthropic(rest: &str) -> Option<(Self, &str)> {
        let (quota, figure) = rest.rsplit_once('-')?;
        let family = match quota {
            "ratelimit-requests" => Self::AnthropicRequests,
            "ratelimit-tokens" => Self::AnthropicTokens,
            "ratelimit-input-tokens" => Self::AnthropicInputTokens,
            "ratelimit-output-tokens" => Self::AnthropicOutputTokens,
            "priority-input-tokens" => Self::AnthropicPriorityInputTokens,
            "priority-output-tokens" => Self::AnthropicPriorityOutputTokens,
            _ => return None,
        };
        Some((family, figure))
    }

    /// What the name of the family itself says about the quota.
    pub(crate) fn resource(self) -> Option<&'static str> {
        match self {
            Self::XRateLimit | Self::XDashedRateLimit | Self::RateLimit => None,
            Self::XRateLimitRequests | Self::AnthropicRequests => Some("requests"),
            Self::XRateLimitTokens | Self::AnthropicTokens => Some("tokens"),
            Self::AnthropicInputTokens => Some("input-tokens"),
            Self::AnthropicOutputTokens => Some("output-tokens"),
            Self::AnthropicPriorityInputTokens => Some("priority-input-tokens"),
            Self::AnthropicPriorityOutputTokens => Some("priority-output-tokens"),
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self.resource() {
            None | Some("requests") => Unit::Requests,
            Some(_) => Unit::Tokens,
        }
    }
}

impl Figure {
    fn named(name: &str) -> Option<Self> {
        match name {
            "limit" => Some(Self::Limit),
            "remaining" => Some(Self::Remaining),
            "used" => Some(Self::Used),
            "reset" | "reset-after" | "retry-after" => Some(Self::Reset),
            "resource" => Some(Self::Resource),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_header_of_every_family_is_recognised() {
        for (name, family, figure) in [
            ("x-ratelimit-limit", Family::XRateLimit, Figure::Limit),
            ("x-ratelimit-used", Family::XRateLimit, Figure::Used),
            ("x-ratelimit-resource", Family::XRateLimit, Figure::Resource),
            ("x-ratelimit-reset-after", Family::XRateLimit, Figure::Reset),
            ("x-ratelimit-retry-after", Family::XRateLimit, Figure::Reset),
            (
                "x-ratelimit-remaining-requests",
                Family::XRateLimitRequests,
                Figure::Remaining,
            ),
            (
                "x-ratelimit-reset-tokens",
                Family::XRateLimitTokens,
                Figure::Reset,
            ),
            (
                "x-rate-limit-remaining",
                Family::XDashedRateLimit,
                Figure::Remaining,
            ),
            ("ratelimit-reset", Family::RateLimit, Figure::Reset),
            (
                "anthropic-ratelimit-requests-limit",
                Family::AnthropicRequests,
                Figure::Limit,
            ),
            (
                "anthropic-ratelimit-tokens-remaining",
                Family::AnthropicTokens,
                Figure::Remaining,
            ),
            (
                "anthropic-ratelimit-input-tokens-reset",
                Family::AnthropicInputTokens,
                Figure::Reset,
            ),
            (
                "anthropic-ratelimit-output-tokens-reset",
                Family::AnthropicOutputTokens,
                Figure::Reset,
            ),
            (
                "anthropic-priority-input-tokens-remaining",
                Family::AnthropicPriorityInputTokens,
                Figure::Remaining,
            ),
            (
                "anthropic-priority-output-tokens-remaining",
                Family::AnthropicPriorityOutputTokens,
                Figure::Remaining,
            ),
        ] {
            assert_eq!(Family::recognise(name), Some((family, figure)), "{name}");
        }
        for name in [
            "x-ratelimit",
            "ratelimit",
            "x-ratelimit-",
            "ratelimit-policy",
            "anthropic-organization-id",
            "retry-after",
            "x-rate-limit",
        ] {
            assert_eq!(Family::recognise(name), None, "{name}");
        }
        for (index, family) in Family::ALL.into_iter().enumerate() {
            assert_eq!(family as usize, index);
        }
    }
}
