//! The grammar of JSON numbers, byte by byte.

/// How far a number has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Start,
    Minus,
    Zero,
    Integer,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

// === impl Part ===

impl Part {
    /// `None` where the number does not go on with `byte`.
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Dot | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            (Self::Start | Self::Minus, b'0') => Self::Zero,
            (Self::Integer, b'0'..=b'9') | (Self::Start | Self::Minus, b'1'..=b'9') => Self::Integer,
            (Self::Start, b'-') => Self::Minus,
            (Self::Zero | Self::Integer, b'.') => Self::Dot,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::Sign,
            _ => return None,
        })
    }

    /// Whether any digit may follow, and changes nothing.
    pub(super) const fn is_run(self) -> bool {
        matches!(self, Self::Integer | Self::Fraction | Self::Exponent)
    }

    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}
