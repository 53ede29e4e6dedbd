//! A progress bar, where there is a terminal to draw it on.

use indicatif::{ProgressBar, ProgressStyle};

use super::report::{Complaint, Watcher};

/// Draws a bar and prints complaints on the standard error stream. Where that is no terminal, there is no bar.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar that is not drawn before there is something to do.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bar: ProgressBar::no_length(),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Progress {
    fn begin(&mut self, bytes: u64) {
        let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta}");
        self.bar
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_length(bytes);
    }

    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn complain(&mut self, complaint: &Complaint) {
        self.bar.suspend(|| eprintln!("skipped {complaint}"));
    }
}
