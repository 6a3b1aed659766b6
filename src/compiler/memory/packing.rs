//! Where buffers lie in one pool: each at an offset, none over another that is alive at the same time, and the whole as
//! small as it can be found to be (docs/design/memory-plan.md, "Placement").

use crate::base::CancelToken;
use crate::base::SplitMix;

/// A buffer that wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bytes, at least 1 to matter: a buffer of nothing lies at 0.
    pub bytes: usize,
    /// The offset is a multiple of this; at least 1.
    pub alignment: usize,
    /// The first step in which it is alive.
    pub first: usize,
    /// The last step in which it is alive, inclusive.
    pub last: usize,
}

/// Offsets for some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// One offset a request, in their order.
    pub offsets: Vec<usize>,
    /// The end of the buffer that reaches farthest.
    pub peak: usize,
}

/// Placements that the search may look at, all in all: it bounds the time, and so does not depend on the machine.
const WORK: usize = 6_000_000;

/// Orders that the local search tries at most.
const ROUNDS: usize = 3_000;

impl Request {
    const fn length(&self) -> usize {
        self.last - self.first + 1
    }
}

/// The most bytes that are alive in one step: no packing has a lower peak.
#[must_use]
pub fn largest_live_set(requests: &[Request]) -> usize {
    live_bytes(requests).into_iter().map(|(_, bytes)| bytes).max().unwrap_or(0)
}

/// The bytes that are alive in each step in which a request begins, in the order of the steps: elsewhere the sum only falls.
fn live_bytes(requests: &[Request]) -> Vec<(usize, usize)> {
    // What ends before a step goes before what begins in it comes.
    let begins = requests.iter().map(|it| (it.first, true, it.bytes));
    let mut events: Vec<(usize, bool, usize)> =
        requests.iter().map(|it| (it.last + 1, false, it.bytes)).chain(begins).collect();
    events.sort_unstable();
    let mut live = 0_usize;
    let mut steps: Vec<(usize, usize)> = Vec::new();
    for (step, is_begin, bytes) in events {
        live = if is_begin { live.saturating_add(bytes) } else { live.saturating_sub(bytes) };
        match steps.last_mut() {
            Some(last) if is_begin && last.0 == step => last.1 = live,
            _ if is_begin => steps.push((step, live)),
            _ => {}
        }
    }
    steps
}

/// Which of the gaps that a buffer fits takes it.
#[derive(Debug, Clone, Copy)]
enum Fit {
    /// The lowest.
    First,
    /// The smallest; of equal ones the lowest.
    Best,
}

/// Requests with what the search asks again and again: who is alive at the same time as whom.
struct Search<'a> {
    requests: &'a [Request],
    conflicts: Vec<Vec<usize>>,
    work: usize,
}

impl<'a> Search<'a> {
    fn new(requests: &'a [Request]) -> Self {
        let mut by_first: Vec<usize> = (0..requests.len()).collect();
        by_first.sort_by_key(|&place| (requests[place].first, place));
        let mut conflicts = vec![Vec::new(); requests.len()];
        for (rank, &place) in by_first.iter().enumerate() {
            let later = by_first[rank + 1..].iter().take_while(|&&it| requests[it].first <= requests[place].last);
            for &other in later {
                conflicts[place].push(other);
                conflicts[other].push(place);
            }
        }
        Self { requests, conflicts, work: 0 }
    }

    /// Places the requests one after another in an order.
    fn place(&mut self, order: &[usize], fit: Fit) -> Packing {
        let mut offsets: Vec<Option<usize>> = vec![None; self.requests.len()];
        let mut peak = 0;
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for &index in order {
            let request = self.requests[index];
            taken.clear();
            let placed = self.conflicts[index].iter().filter_map(|&it| Some((offsets[it]?, self.requests[it].bytes)));
            taken.extend(placed.map(|(offset, bytes)| (offset, offset + bytes)));
            taken.sort_unstable();
            self.work += taken.len() + 1;
            let offset = gap(&taken, request, fit);
            peak = peak.max(offset + request.bytes);
            offsets[index] = Some(offset);
        }
        Packing { offsets: offsets.into_iter().map(Option::unwrap_or_default).collect(), peak }
    }
}

/// The offset for a request among the taken ranges, which are sorted.
fn gap(taken: &[(usize, usize)], request: Request, fit: Fit) -> usize {
    let mut end = 0_usize;
    let mut best: Option<(usize, usize)> = None;
    for &(from, to) in taken {
        let offset = end.next_multiple_of(request.alignment);
        if from >= offset + request.bytes {
            let slack = from - end;
            match fit {
                Fit::First => return offset,
                Fit::Best if best.is_none_or(|(least, _)| slack < least) => best = Some((slack, offset)),
                Fit::Best => {}
            }
        }
        end = end.max(to);
    }
    best.map_or_else(|| end.next_multiple_of(request.alignment), |(_, offset)| offset)
}

/// The orders that are tried first: by size, by area (size × steps), by steps, by first step, and from the fullest step
/// outwards. Ties go to the earlier request.
fn orders(requests: &[Request]) -> Vec<Vec<usize>> {
    let sorted = |key: &dyn Fn(usize) -> (usize, usize, usize)| {
        let mut order: Vec<usize> = (0..requests.len()).collect();
        order.sort_by_key(|&place| (key(place), place));
        order
    };
    let down = |value: usize| usize::MAX - value;
    let at = |place: usize| requests[place];
    vec![
        sorted(&|it| (down(at(it).bytes), down(at(it).length()), at(it).first)),
        sorted(&|it| (down(at(it).bytes.saturating_mul(at(it).length())), down(at(it).bytes), at(it).first)),
        sorted(&|it| (down(at(it).length()), down(at(it).bytes), at(it).first)),
        sorted(&|it| (at(it).first, down(at(it).length()), down(at(it).bytes))),
        by_fullness(requests),
    ]
}

/// The requests of the fullest step first, then those of the next, each time the largest first.
fn by_fullness(requests: &[Request]) -> Vec<usize> {
    let steps = live_bytes(requests);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (place, request) in requests.iter().enumerate() {
        let from = steps.partition_point(|(step, _)| *step < request.first);
        let to = steps.partition_point(|(step, _)| *step <= request.last);
        for alive in members.iter_mut().take(to).skip(from) {
            alive.push(place);
        }
    }
    let mut ranked: Vec<usize> = (0..steps.len()).collect();
    ranked.sort_by_key(|&at| (usize::MAX - steps[at].1, steps[at].0));
    let mut ordered = vec![false; requests.len()];
    let mut order = Vec::with_capacity(requests.len());
    for at in ranked {
        let mut waiting: Vec<usize> = members[at].iter().copied().filter(|&place| !ordered[place]).collect();
        waiting.sort_by_key(|&place| (usize::MAX - requests[place].bytes, place));
        for place in waiting {
            ordered[place] = true;
            order.push(place);
        }
    }
    order
}

/// Places all requests. Five orders with two ways to choose a gap are tried, then the best order is changed bit by bit for
/// as long as the bounds allow; it ends at once where the peak is the largest live set, which nothing can be below.
/// The same requests give the same packing on every machine. Cancelled, it ends with what it has.
#[must_use]
pub fn pack(requests: &[Request], cancel: &CancelToken) -> Packing {
    pack_counted(requests, cancel).0
}

/// The same, with how many placements were looked at: a measure of time that no machine changes.
pub(super) fn pack_counted(requests: &[Request], cancel: &CancelToken) -> (Packing, usize) {
    let mut search = Search::new(requests);
    let pairs: usize = search.conflicts.iter().map(Vec::len).sum();
    let packing = best_packing(requests, &mut search, cancel);
    (packing, search.work.saturating_add(pairs))
}

fn best_packing(requests: &[Request], search: &mut Search<'_>, cancel: &CancelToken) -> Packing {
    let bound = largest_live_set(requests);
    let mut best = Packing { offsets: vec![0; requests.len()], peak: if requests.is_empty() { 0 } else { usize::MAX } };
    let mut best_order = Vec::new();
    for order in orders(requests) {
        for fit in [Fit::First, Fit::Best] {
            let found = search.place(&order, fit);
            if found.peak < best.peak {
                best = found;
                best_order.clone_from(&order);
            }
            if best.peak <= bound || cancel.is_cancelled() {
                return best;
            }
        }
    }
    improve(search, bound, best_order, best, cancel)
}

/// Local search: the lowest fit in some order reaches every packing that cannot be pushed down, the best ones among them, so
/// only the order is searched. A step takes a buffer that makes the peak and puts it earlier, or exchanges two.
fn improve(
    search: &mut Search<'_>,
    bound: usize,
    mut order: Vec<usize>,
    mut best: Packing,
    cancel: &CancelToken,
) -> Packing {
    let count = order.len();
    if count < 2 {
        return best;
    }
    let mut numbers = SplitMix::new(count as u64);
    let mut draw = |below: usize| (numbers.draw() % below.max(1) as u64) as usize;
    let mut present = search.place(&order, Fit::First);
    if present.peak < best.peak {
        best = present.clone();
    }
    for _ in 0..ROUNDS {
        if best.peak <= bound || search.work > WORK || cancel.is_cancelled() {
            break;
        }
        let highest: Vec<usize> = (0..count)
            .filter(|&place| {
                let request = order[place];
                present.offsets[request] + search.requests[request].bytes == present.peak
            })
            .collect();
        let mut next = order.clone();
        let moved = if draw(2) == 0 { highest[draw(highest.len())] } else { draw(count) };
        let to = if draw(2) == 0 { draw(moved + 1) } else { draw(count) };
        if draw(3) == 0 {
            next.swap(moved, to);
        } else {
            let request = next.remove(moved);
            next.insert(to, request);
        }
        let found = search.place(&next, Fit::First);
        // An equal peak is taken as well: the search wanders along plateaus.
        if found.peak <= present.peak {
            order = next;
            present = found;
            if present.peak < best.peak {
                best = present.clone();
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(requests: &[Request]) -> Packing {
        pack(requests, &CancelToken::new())
    }

    impl Request {
        const fn overlaps(&self, other: &Self) -> bool {
            self.first <= other.last && other.first <= self.last
        }
    }

    /// What is wrong with a packing, if anything is.
    fn check(requests: &[Request], packing: &Packing) -> Result<(), String> {
        let range = |place: usize| (packing.offsets[place], packing.offsets[place] + requests[place].bytes);
        for (place, request) in requests.iter().enumerate() {
            let (from, to) = range(place);
            if from % request.alignment != 0 || to > packing.peak {
                return Err(format!("{request:?} lies at {from} of {}", packing.peak));
            }
            for (other, it) in requests.iter().enumerate().take(place) {
                let (start, end) = range(other);
                if request.overlaps(it) && from < end && start < to {
                    return Err(format!("{request:?} at {from} lies over {it:?} at {start}"));
                }
            }
        }
        Ok(())
    }

    /// The lowest peak of all packings: the lowest fit in every order, branches that are no better than the best cut off.
    fn exact(requests: &[Request]) -> usize {
        fn extend(requests: &[Request], placed: &mut Vec<(usize, usize)>, peak: usize, best: &mut usize) {
            if peak >= *best {
                return;
            }
            if placed.len() == requests.len() {
                *best = peak;
                return;
            }
            for (place, request) in requests.iter().enumerate() {
                if placed.iter().any(|(other, _)| *other == place) {
                    continue;
                }
                let alive = placed.iter().filter(|(other, _)| requests[*other].overlaps(request));
                let mut taken: Vec<_> = alive.map(|&(other, at)| (at, at + requests[other].bytes)).collect();
                taken.sort_unstable();
                let offset = gap(&taken, *request, Fit::First);
                placed.push((place, offset));
                extend(requests, placed, peak.max(offset + request.bytes), best);
                placed.pop();
            }
        }
        let mut best = usize::MAX;
        extend(requests, &mut Vec::new(), 0, &mut best);
        best
    }

    fn requests(most: usize, steps: usize) -> impl Strategy<Value = Vec<Request>> {
        let one = (1_usize..40, 0..steps, 0..steps, prop_oneof![Just(64_usize), Just(256)]);
        prop::collection::vec(one, 1..most).prop_map(|all| {
            let request = |(words, a, b, alignment): (usize, usize, usize, usize)| Request {
                bytes: words * 64,
                alignment,
                first: a.min(b),
                last: a.max(b),
            };
            all.into_iter().map(request).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn nothing_lies_over_what_is_alive(requests in requests(40, 30)) {
            let packing = packed(&requests);
            prop_assert_eq!(check(&requests, &packing), Ok(()));
            prop_assert!(packing.peak >= largest_live_set(&requests));
            prop_assert_eq!(packed(&requests), packing);
        }

        #[test]
        fn small_ones_are_within_a_tenth_of_the_best_there_is(requests in requests(8, 8)) {
            let (found, best) = (packed(&requests).peak, exact(&requests));
            prop_assert!(found * 10 <= best * 11, "{} found, {} is possible", found, best);
        }
    }

    #[test]
    fn a_chain_needs_two_neighbours_and_no_more() {
        let sizes = [100, 400, 300, 700, 200, 200];
        let chain = |(place, &words): (usize, &usize)| Request {
            bytes: words * 64,
            alignment: 64,
            first: place,
            last: place + 1,
        };
        let requests: Vec<Request> = sizes.iter().enumerate().map(chain).collect();
        assert_eq!(packed(&requests).peak, 1000 * 64);
        assert_eq!(packed(&[]), Packing { offsets: Vec::new(), peak: 0 });
    }

    #[test]
    fn buffers_that_interlock_are_packed_as_well_as_can_be() {
        let request =
            |words: usize, first: usize, last: usize| Request { bytes: words * 64, alignment: 64, first, last };
        let requests = [
            request(6, 0, 2),
            request(5, 1, 4),
            request(4, 3, 6),
            request(7, 5, 8),
            request(3, 2, 5),
            request(2, 4, 7),
            request(6, 7, 9),
        ];
        assert_eq!(packed(&requests).peak, exact(&requests));
    }
}
