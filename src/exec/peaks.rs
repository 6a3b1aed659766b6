//! How much memory each step takes at most, for the next run's limit.
//!
//! Programs are weighed by whoever runs them. Work in this process is weighed here, from what the process holds now and then:
//! what it holds beyond what it held before the first step is shared among the steps that run, in the proportion in which
//! they were expected to take it. A step that runs alone gets all of it.

use std::collections::BTreeMap;

use crate::base::fs::Memory;
use crate::plan::StepId;

/// A running step.
#[derive(Debug)]
struct Running {
    /// Bytes that it is expected to take.
    expected: u64,
    /// Bytes that it was seen to take.
    seen: u64,
}

/// The steps that run in this process, and what they were seen to take.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    before: u64,
    /// The process's own peak when it was last looked at.
    peak: u64,
    running: BTreeMap<StepId, Running>,
}

impl Peaks {
    /// `now` is what the process holds before the first step.
    pub(super) fn new(now: Memory) -> Self {
        Self { before: now.now, peak: now.peak, running: BTreeMap::new() }
    }

    /// A step begins that should take `expected` bytes.
    pub(super) fn start(&mut self, step: StepId, expected: u64) {
        self.running.insert(step, Running { expected, seen: 0 });
    }

    /// What the process holds while these steps run.
    pub(super) fn see(&mut self, now: Memory) {
        // A peak that is new was reached since the last look.
        let held = if now.peak > self.peak { now.peak } else { now.now };
        self.peak = self.peak.max(now.peak);
        let held = held.saturating_sub(self.before);
        let expected: u128 = self.running.values().map(|running| u128::from(running.expected)).sum();
        let count = self.running.len().max(1) as u64;
        for running in self.running.values_mut() {
            let share =
                match u128::from(held).checked_mul(u128::from(running.expected)).map(|it| it.checked_div(expected)) {
                    Some(Some(share)) => u64::try_from(share).unwrap_or(u64::MAX),
                    _ => held / count,
                };
            running.seen = running.seen.max(share);
        }
    }

    /// A step ended. The bytes that it was seen to take; 0 when it was too quick to be seen. `programs` is what programs
    /// that did its work held, where there were some.
    pub(super) fn end(&mut self, step: StepId, programs: u64) -> u64 {
        let seen = self.running.remove(&step).map_or(0, |running| running.seen);
        if programs > 0 { programs } else { seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_holds_is_shared_among_the_steps_that_run() {
        let memory = |now, peak| Memory { now, peak };
        let [large, small, unknown] = [0, 1, 2].map(StepId::at);
        let mut peaks = Peaks::new(memory(100, 500));
        peaks.start(large, 30);
        peaks.see(memory(700, 900));
        assert_eq!(peaks.running[&large].seen, 800, "a peak between two looks was missed");
        peaks.start(small, 10);
        peaks.see(memory(300, 900));
        assert_eq!((peaks.running[&large].seen, peaks.running[&small].seen), (800, 50));
        assert_eq!(peaks.end(large, 0), 800);
        peaks.see(memory(300, 900));
        assert_eq!(peaks.end(small, 0), 200, "alone it has all of it");
        peaks.start(unknown, 0);
        peaks.see(memory(160, 900));
        assert_eq!(peaks.end(unknown, 0), 60);
        peaks.start(unknown, 5);
        assert_eq!(peaks.end(unknown, 0), 0, "it was too quick to be seen");
        peaks.start(unknown, 5);
        peaks.see(memory(50, 900));
        assert_eq!(peaks.end(unknown, 77), 77, "a program does the work");
    }
}
