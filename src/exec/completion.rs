//! The end of a step, and of a network: when all steps of a network are good, its files go to the build root.

use super::StepFailure;
use super::events::{Event, Outcome, StopCause};
use super::judge::{Verdict, outputs_in};
use super::networks::{Networks, Wanted, remove};
use super::scheduler::{End, Run};
use super::workers::InstallTask;
use crate::base::fs;
use crate::base::relative;
use crate::plan::StepId;
use crate::plan::StepSettings;
use crate::store::SlotName;

/// What helps when the disk of the build root is full, and the cache is on another one.
const NO_SPACE_IN_BUILD_ROOT: &str = "free some space on the disk of the build root, or choose another place with \
                                      --build-root, and run the same command again";

impl<S: StepSettings> Run<'_, S> {
    /// Says that a step ended, and looks whether its network is complete now.
    pub(super) fn tell(&mut self, id: StepId, end: End) {
        (self.events)(&Event::Finished { step: id, outcome: &end.outcome, duration: end.duration });
        let good = end.outcome.is_good();
        self.ends[id.index()] = Some(end);
        let network = &self.graph.step(id).network;
        if self.networks.end(network, good) && !self.options.dry_run {
            self.complete(network);
        }
    }

    /// All steps of a network are good: installs what is not known to be right.
    pub(super) fn complete(&mut self, network: &str) {
        let known = |step| outputs_in(&self.judged.verdicts, step);
        let files = match self.networks.files(self.graph, network, known) {
            Ok(files) => files,
            Err((step, failure)) => return self.not_installed(network, step, failure),
        };
        let is_right =
            |step: StepId| matches!(&self.judged.verdicts[step.index()], Verdict::Hit(hit) if hit.is_up_to_date());
        let unsure: Vec<_> = files.iter().filter(|wanted| !is_right(wanted.step)).cloned().collect();
        if unsure.is_empty() {
            Networks::record(self.store, network, &files);
            self.networks.set_installed(network);
            let leftovers = self.networks.leftovers(self.store, network, &files);
            self.leftovers.extend(leftovers.into_iter().map(|file| (network.to_owned(), file)));
            return;
        }
        if self.stopped.is_some_and(|cause| cause != StopCause::FailFast) {
            return self.leave_out(&unsure);
        }
        self.make_way(network, &files);
        let names: Vec<String> = unsure.iter().map(|wanted| wanted.file.clone()).collect();
        if let Err(error) = self.store.intend(network, &names) {
            let step = unsure[0].step;
            return self.not_installed(network, step, error.into());
        }
        let build_root = self.store.build_root().to_owned();
        self.tasks.push_back(InstallTask { network: network.to_owned(), build_root, files: unsure });
    }

    /// Removes what no step of the network makes any more and is in the way of what they make now.
    fn make_way(&mut self, network: &str, files: &[Wanted]) {
        let obstacles = self.networks.obstacles(self.store, network, files);
        let obstacles: Vec<_> = obstacles.into_iter().map(|file| (network.to_owned(), file)).collect();
        let events = &mut *self.events;
        // What cannot be removed stays recorded, and the copying says what is in its way.
        let _ = remove(self.store, &obstacles, |network, file| events(&Event::Removed { network, file }));
    }

    /// These files do not come into the build root in this run, whose stop is told already: the steps that should have
    /// them there count as not tried, although the store has their results.
    pub(super) fn leave_out(&mut self, files: &[Wanted]) {
        let outcome = self.not_tried();
        for file in files {
            if let Some(end) = &mut self.ends[file.step.index()] {
                end.outcome = outcome.clone();
            }
        }
    }

    pub(super) fn installed(&mut self, task: &InstallTask, result: Result<usize, (StepId, StepFailure)>) {
        let network = task.network.as_str();
        let known = |step| outputs_in(&self.judged.verdicts, step);
        let files = self.networks.files(self.graph, network, known).unwrap_or_default();
        Networks::record(self.store, network, &files);
        match result {
            Ok(written) => {
                for file in &task.files {
                    self.store.set_good(&SlotName::of(self.graph.step(file.step)));
                }
                self.networks.set_installed(network);
                let leftovers = self.networks.leftovers(self.store, network, &files);
                self.leftovers.extend(leftovers.into_iter().map(|file| (network.to_owned(), file)));
                (self.events)(&Event::Installed { network, written });
            }
            Err((step, failure)) => {
                let elsewhere = !fs::are_on_one_disk(self.store.build_root(), self.store.cache());
                let hint = failure.hint.filter(|_| !(failure.no_space && elsewhere));
                let hint = hint.or_else(|| failure.no_space.then(|| NO_SPACE_IN_BUILD_ROOT.to_owned()));
                self.not_installed(network, step, StepFailure { hint, ..failure });
            }
        }
    }

    pub(super) fn not_installed(&mut self, network: &str, step: StepId, failure: StepFailure) {
        let no_space = failure.no_space;
        if no_space && self.stopped == Some(StopCause::NoSpace) {
            // That is known; the network's files come with the next build.
            let outcome = self.not_tried();
            if let Some(end) = &mut self.ends[step.index()] {
                end.outcome = outcome;
            }
            return;
        }
        let failure = StepFailure { message: relative(&failure.message, &self.options.root), ..failure };
        (self.events)(&Event::InstallFailed { network, step, failure: &failure });
        if let Some(end) = &mut self.ends[step.index()] {
            end.outcome = Outcome::Failed(failure);
            if let Some(key) = end.key {
                self.store.set_failure(&SlotName::of(self.graph.step(step)), key);
            }
        }
        if no_space && self.stopped.is_none() {
            self.stop(StopCause::NoSpace);
        }
    }
}
