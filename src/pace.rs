//! How slow is too slow: a minimum rate, as a balance of waiting time that progress refills.
//!
//! A rate that is measured since the start forgives for ever: who has sent 1 MB in the first second may drip
//! for an hour and still be above 240 B/s on average. A rate that is measured each second forgives nothing: a
//! lost packet is a second without a byte. So time is an account here. It opens with a *grace*, each byte buys
//! 1/rate of a second, up to a *most* that no burst can exceed, and waiting spends it. Whoever has nothing left
//! is too slow:
//!
//! - somebody who never moves a byte may be waited for as long as the grace;
//! - somebody who keeps above the rate may be waited for without end, in whatever pieces the bytes come;
//! - somebody who falls below it may be waited for as long as the most, and then as long as the bytes pay for.
//!
//! Only waiting is charged, and only the caller knows what that is: for a request body the time for which a
//! handler waits for the next bytes, for a response the time for which bytes wait to be taken.
//!
//! # What others hold to be too slow
//! | server | rate | grace | kind of account |
//! |---|---|---|---|
//! | Kestrel (ASP.NET Core) | 240 B/s, both ways | 5 s | average since the start, without the time in which the application does not read |
//! | Apache `mod_reqtimeout` | 500 B/s, request | 20 s | each byte buys time, without an upper bound unless one is given |

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::time::Duration;

/// The least rate that is still healthy, and how much waiting it leaves room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinRate {
    bytes_per_second: NonZeroU32,
    grace: u64,
    most: u64,
}

/// The account of one transfer under a [`MinRate`], in nanoseconds of waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: MinRate,
    balance: u64,
    /// What is left over of the bytes that were paid in: less than one nanosecond, in 1/rate of it.
    carry: u32,
    /// Bytes that have not been paid in yet, so that a byte that nobody waited for costs one addition.
    moved: u64,
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

// === impl MinRate ===

impl MinRate {
    /// `most` is what the balance can grow to; it is never less than `grace`. Both are cut at 584 years.
    pub(crate) const fn new(bytes_per_second: NonZeroU32, grace: Duration, most: Duration) -> Self {
        let (grace, most) = (nanos(grace), nanos(most));
        let most = if most < grace { grace } else { most };
        Self {
            bytes_per_second,
            grace,
            most,
        }
    }

    pub(crate) const fn bytes_per_second(&self) -> u32 {
        self.bytes_per_second.get()
    }

    pub(crate) const fn grace(&self) -> Duration {
        Duration::from_nanos(self.grace)
    }
}

// === impl Pace ===

impl Pace {
    pub(crate) const fn new(rate: MinRate) -> Self {
        Self {
            rate,
            balance: rate.grace,
            carry: 0,
            moved: 0,
        }
    }

    /// Bytes moved, after all the waiting that was charged so far.
    #[inline]
    pub(crate) fn moved(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        match self.moved.checked_add(bytes) {
            Some(moved) => self.moved = moved,
            None => {
                self.pay_in();
                self.moved = bytes;
            }
        }
    }

    /// Charges that much waiting.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.pay_in();
        match self.balance.checked_sub(nanos(time)) {
            Some(balance) => self.balance = balance,
            None => (self.balance, self.carry) = (0, 0),
        }
    }

    /// How much longer waiting may last while nothing moves. Zero: too slow.
    pub(crate) fn left(&mut self) -> Duration {
        self.pay_in();
        Duration::from_nanos(self.balance)
    }

    fn pay_in(&mut self) {
        if self.moved == 0 {
            return;
        }
        let rate = u128::from(self.rate.bytes_per_second.get());
        // At most (2^64 - 1) * 10^9 + 2^32, far from the end of 128 bits.
        let bought = u128::from(self.moved) * NANOS_PER_SECOND + u128::from(self.carry);
        self.moved = 0;
        let balance = u128::from(self.balance) + bought / rate;
        if balance < u128::from(self.rate.most) {
            self.balance = balance as u64;
            self.carry = (bought % rate) as u32;
        } else {
            (self.balance, self.carry) = (self.rate.most, 0);
        }
    }
}

const fn nanos(time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}
