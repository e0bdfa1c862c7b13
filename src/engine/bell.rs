//! What wakes a thread before its time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Rung by whoever has news, waited for by one thread.
#[derive(Debug, Default)]
pub struct Bell {
    is_rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        // A flag is whole whoever panicked.
        *self.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Until it is rung, or was since the last time, but no longer than that.
    pub fn wait(&self, most: Duration) {
        let is_rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_rung, _) = self
            .heard
            .wait_timeout_while(is_rung, most, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *is_rung = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_woken_once() {
        let bell = Bell::default();
        bell.ring();
        // Forgotten, this would wait for hours.
        bell.wait(Duration::from_secs(10_000));
        std::thread::scope(|scope| {
            scope.spawn(|| bell.wait(Duration::from_secs(10_000)));
            bell.ring();
        });
        bell.wait(Duration::ZERO);
    }
}
