//! Which tensors move to a nearer pool: those that save the most transfers for the room they take, and fit.

use crate::base::CancelToken;
use crate::base::SplitMix;
use crate::compiler::memory::Packing;
use crate::compiler::memory::Request;
use crate::compiler::memory::packing::pack_counted;

/// A tensor that may move up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its value's place in the graph.
    pub(super) value: usize,
    /// What it needs in the pool.
    pub(super) request: Request,
    /// Bytes moved in one run, which would be moved within the nearer pool.
    pub(super) traffic: u64,
}

/// Ways to order candidates beyond which attempts bring nothing new in sensible time.
const MOST_ATTEMPTS: i64 = 64;

/// Placements that all attempts for one pool may look at; once there are more, no other begins. It bounds the time of large models,
/// and so does not depend on the machine.
const WORK: usize = 150_000_000;

/// How hard a choice is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Attempts that are asked for.
    pub(super) attempts: i64,
    /// Placements after which no other attempt begins.
    pub(super) work: usize,
}

impl Effort {
    /// So many attempts, as far as time allows.
    pub(super) const fn of(attempts: i64) -> Self {
        Self { attempts, work: WORK }
    }
}

/// Room in a pool, step by step.
pub(super) struct Room<'a> {
    /// Bytes that there are.
    pub(super) capacity: usize,
    /// Requests that are there whatever moves up, given who moves up.
    pub(super) fixed: &'a dyn Fn(&[usize]) -> Vec<Request>,
    /// Bytes that are freed in a step when a value moves up.
    pub(super) freed: &'a dyn Fn(usize) -> Vec<(usize, usize)>,
}

/// What moves up, and where all lies: the fixed requests first, then the chosen candidates in their order.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Places of the chosen candidates, ascending.
    pub(super) chosen: Vec<usize>,
    /// Offsets of the fixed requests, then of the chosen candidates.
    pub(super) packing: Packing,
    /// The requests that were packed.
    pub(super) requests: Vec<Request>,
    /// How many attempts were made, where they were fewer than asked for although another might have found more.
    pub(super) stopped_after: Option<i64>,
    /// Placements that were looked at.
    pub(super) work: usize,
}

/// Candidates in the order of an attempt, the most wanted first.
fn order(candidates: &[Candidate], attempt: i64) -> Vec<usize> {
    let density = |candidate: &Candidate| {
        let area = candidate.request.bytes as u128 * (candidate.request.last - candidate.request.first + 1) as u128;
        u64::try_from((u128::from(candidate.traffic) << 20) / area.max(1)).unwrap_or(u64::MAX)
    };
    let mut numbers = SplitMix::new(attempt as u64);
    let mut keyed: Vec<(u64, u64, usize)> = Vec::with_capacity(candidates.len());
    for (place, candidate) in candidates.iter().enumerate() {
        let down = |value: u64| u64::MAX - value;
        let (length, bytes) = (candidate.request.last - candidate.request.first, candidate.request.bytes as u64);
        let keys = match attempt {
            1 => (down(density(candidate)), bytes),
            2 => (down(candidate.traffic), bytes),
            3 => (bytes, down(candidate.traffic)),
            4 => (length as u64, down(candidate.traffic)),
            5 => (candidate.request.first as u64, bytes),
            // Chance between the half and the whole of the density, the same for the same attempt.
            _ => (down((density(candidate) / 512).saturating_mul(256 + numbers.draw() % 257)), bytes),
        };
        keyed.push((keys.0, keys.1, place));
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, place)| place).collect()
}

/// Chooses among the candidates in as many ways as the effort allows, and takes the choice that saves the most traffic; of equal ones the
/// first. It is always a choice that fits, if only nothing moves up. Cancelled, it ends with what it has.
pub(super) fn choose(
    candidates: &[Candidate],
    room: &Room<'_>,
    steps: usize,
    effort: Effort,
    cancel: &CancelToken,
) -> Choice {
    let attempts = effort.attempts;
    let mut best: Option<(u64, Choice)> = None;
    let everything: u64 = candidates.iter().map(|candidate| candidate.traffic).sum();
    let (mut work, mut stopped_after) = (0_usize, (attempts > MOST_ATTEMPTS).then_some(MOST_ATTEMPTS));
    for attempt in 1..=attempts.clamp(1, MOST_ATTEMPTS) {
        if work > effort.work {
            stopped_after = Some(attempt - 1);
            break;
        }
        let choice = attempt_in_order(candidates, &order(candidates, attempt), room, steps, cancel);
        work = work.saturating_add(choice.work);
        let saved: u64 = choice.chosen.iter().map(|&place| candidates[place].traffic).sum();
        if best.as_ref().is_none_or(|(most, _)| saved > *most) {
            best = Some((saved, choice));
        }
        if cancel.is_cancelled() || best.as_ref().is_some_and(|(most, _)| *most == everything) {
            stopped_after = None;
            break;
        }
    }
    let mut choice = best.map_or_else(|| packed(candidates, Vec::new(), room, cancel), |(_, choice)| choice);
    choice.stopped_after = stopped_after;
    choice
}

fn packed(candidates: &[Candidate], mut chosen: Vec<usize>, room: &Room<'_>, cancel: &CancelToken) -> Choice {
    chosen.sort_unstable();
    let values: Vec<usize> = chosen.iter().map(|&place| candidates[place].value).collect();
    let mut requests = (room.fixed)(&values);
    requests.extend(chosen.iter().map(|&place| candidates[place].request));
    let (packing, work) = pack_counted(&requests, cancel);
    Choice { chosen, packing, requests, stopped_after: None, work }
}

/// Takes candidates in order for as long as no step has more alive than there is room; then packs, and drops what sticks
/// out until all of it fits.
fn attempt_in_order(
    candidates: &[Candidate],
    order: &[usize],
    room: &Room<'_>,
    steps: usize,
    cancel: &CancelToken,
) -> Choice {
    let mut used = vec![0_usize; steps.max(1)];
    for request in (room.fixed)(&[]) {
        for step in &mut used[request.first..=request.last] {
            *step += request.bytes;
        }
    }
    let (mut chosen, mut work) = (Vec::new(), 0_usize);
    for &place in order {
        let candidate = candidates[place];
        let Request { first, last, bytes, .. } = candidate.request;
        let freed = (room.freed)(candidate.value);
        let mut after = used[first..=last].to_vec();
        work = work.saturating_add(after.len());
        for step in &mut after {
            *step = step.saturating_add(bytes);
        }
        for &(step, bytes) in freed.iter().filter(|(step, _)| (first..=last).contains(step)) {
            after[step - first] = after[step - first].saturating_sub(bytes);
        }
        if after.iter().all(|&step| step <= room.capacity) {
            used[first..=last].copy_from_slice(&after);
            chosen.push(place);
        }
    }
    // The least wanted go first where only what is fixed sticks out.
    let mut ranks = vec![0; candidates.len()];
    for (rank, &place) in order.iter().enumerate() {
        ranks[place] = rank;
    }
    let mut choice = packed(candidates, chosen, room, cancel);
    work = work.saturating_add(choice.work);
    while choice.packing.peak > room.capacity && !choice.chosen.is_empty() && !cancel.is_cancelled() {
        let fixed = choice.requests.len() - choice.chosen.len();
        let end = |index: usize| choice.packing.offsets[fixed + index] + choice.requests[fixed + index].bytes;
        let mut kept: Vec<usize> = (0..choice.chosen.len())
            .filter(|&index| end(index) <= room.capacity)
            .map(|index| choice.chosen[index])
            .collect();
        if kept.len() == choice.chosen.len() {
            kept.sort_by_key(|&place| ranks[place]);
            kept.pop();
        }
        choice = packed(candidates, kept, room, cancel);
        work = work.saturating_add(choice.work);
    }
    Choice { work, ..choice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_on_the_work_ends_the_attempts_and_is_told() {
        let request =
            |place: usize| Request { bytes: 64 * (1 + place % 7), alignment: 64, first: place, last: place + 9 };
        let candidates: Vec<Candidate> = (0..60)
            .map(|place| Candidate { value: place, request: request(place), traffic: 1 + (place as u64 * 37) % 11 })
            .collect();
        let room = Room { capacity: 1024, fixed: &|_| Vec::new(), freed: &|_| Vec::new() };
        let with = |attempts, work| {
            let choice = choose(&candidates, &room, 70, Effort { attempts, work }, &CancelToken::new());
            assert!(choice.packing.peak <= 1024);
            let saved: u64 = choice.chosen.iter().map(|&place| candidates[place].traffic).sum();
            (choice.stopped_after, saved)
        };
        let (unbounded, one) = (with(20, usize::MAX), with(1, usize::MAX));
        assert_eq!((unbounded.0, one.0), (None, None));
        assert_eq!(with(20, 0), (Some(1), one.1), "the first attempt is always made");
        assert_eq!(with(1000, usize::MAX).0, Some(MOST_ATTEMPTS));
        assert!(unbounded.1 >= one.1);
    }
}
