//! Results reach the disk for good while a run goes on, in groups: a power cut costs the work of the last moments, and no
//! step waits for the disk.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::store::StoreError;

/// How long a result waits for others to be flushed with (SPEC 6: the last 100 ms of work may be lost).
const GROUP: Duration = Duration::from_millis(100);

/// Calls `flush` every [`GROUP`] in which `due` was set, until `end` is dropped. Ends at the first failure.
pub(super) fn flush_in_groups(
    due: &AtomicBool,
    end: &Receiver<()>,
    mut flush: impl FnMut() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    while end.recv_timeout(GROUP) == Err(RecvTimeoutError::Timeout) {
        if due.swap(false, Ordering::AcqRel) {
            flush()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn many_results_are_flushed_together_and_none_is_left() {
        let (due, flushed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (stop, end) = mpsc::channel();
        thread::scope(|scope| {
            let (due, flushed) = (&due, &flushed);
            let count = move || {
                flushed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            let flusher = scope.spawn(move || flush_in_groups(due, &end, count));
            for _ in 0..100 {
                due.store(true, Ordering::Release);
                thread::sleep(GROUP / 20);
            }
            thread::sleep(GROUP * 3);
            assert!(!due.load(Ordering::Acquire), "a result waits for ever");
            drop(stop);
            assert!(flusher.join().is_ok_and(|ended| ended.is_ok()));
        });
        let flushed = flushed.into_inner();
        assert!((2..50).contains(&flushed), "100 results were flushed {flushed} times");
    }
}
