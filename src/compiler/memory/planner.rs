//! From a graph to its plan: tiles first, then what stays in L1, then what fits L2, then DDR.

use std::cell::Cell;

use crate::base::CancelToken;
use crate::compiler::device::Stored;
use crate::compiler::device::WORD;
use crate::compiler::device::Work;
use crate::compiler::device::stored;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::memory::Budget;
use crate::compiler::memory::Buffer;
use crate::compiler::memory::Kind;
use crate::compiler::memory::Lifetime;
use crate::compiler::memory::MemoryOptions;
use crate::compiler::memory::MemoryPlan;
use crate::compiler::memory::Placement;
use crate::compiler::memory::Pool;
use crate::compiler::memory::PoolUse;
use crate::compiler::memory::Request;
use crate::compiler::memory::Tiling;
use crate::compiler::memory::TilingOptions;
use crate::compiler::memory::depth::Chain;
use crate::compiler::memory::depth::Operators;
use crate::compiler::memory::help::Shortage;
use crate::compiler::memory::help::Tried;
use crate::compiler::memory::help::help;
use crate::compiler::memory::help::places;
use crate::compiler::memory::help::together;
use crate::compiler::memory::largest_live_set;
use crate::compiler::memory::lifetimes;
use crate::compiler::memory::pack;
use crate::compiler::memory::promotion::Candidate;
use crate::compiler::memory::promotion::Choice;
use crate::compiler::memory::promotion::Effort;
use crate::compiler::memory::promotion::Room;
use crate::compiler::memory::promotion::choose;
use crate::compiler::memory::tiling::Trials;
use crate::compiler::memory::tiling::divide;
use crate::compiler::memory::traffic;
use crate::compiler::quantize::QuantizedGraph;
use crate::compiler::quantize::TensorId;

/// Bytes of a page of L2 and DDR.
const PAGE: usize = 4096;

/// A tensor that needs a place.
#[derive(Debug, Clone, Copy)]
struct Tensor {
    value: usize,
    bytes: usize,
    alive: Lifetime,
    home: Pool,
    kind: Kind,
    traffic: u64,
}

/// A buffer that is always there.
struct Constant {
    name: String,
    kind: Kind,
    home: Pool,
    bytes: usize,
    /// The node whose weights these are, and the bytes that it loads of them in one run.
    weights_of: Option<(usize, u64)>,
}

struct Planner<'a> {
    graph: &'a QuantizedGraph,
    options: &'a MemoryOptions,
    cancel: &'a CancelToken,
    /// Whether an error says what would help.
    explains: bool,
    stored: Vec<Stored>,
    works: Vec<Work>,
    tilings: Vec<Tiling>,
    tensors: Vec<Tensor>,
    constants: Vec<Constant>,
    places: Vec<Option<Placement>>,
    /// Values between operators that are tiled together.
    linked: Vec<bool>,
    pools: [PoolUse; 3],
    stopped_after: Option<i64>,
    /// The pool that was found to be too small.
    shortage: Cell<Option<Shortage>>,
}

/// Plans the memory of a verified graph. Fails with the status of tiling or of the memory plan where the model does not
/// fit; the message names the node, the bytes needed and allowed, and the hint settings with which it would fit.
pub fn plan(graph: &QuantizedGraph, options: &MemoryOptions, cancel: &CancelToken) -> Result<MemoryPlan, StageError> {
    attempt(graph, options, cancel, true).map_err(|(error, _)| error)
}

/// The same, and which pool is too small, with the bytes that it was found to need. Without `explains`, an error of the memory
/// plan has no hint.
fn attempt(
    graph: &QuantizedGraph,
    options: &MemoryOptions,
    cancel: &CancelToken,
    explains: bool,
) -> Result<MemoryPlan, (StageError, Option<Shortage>)> {
    let stored = stored(graph, options.form.padded, options.host_pads);
    let works: Vec<Work> = graph.nodes.iter().map(|node| Work::of(graph, node, &stored, options.form)).collect();
    let allowed =
        |pool| PoolUse { allowed: options.budget.bytes(pool), workspace: 0, live: 0, images: 1, constants: 0 };
    let mut planner = Planner {
        graph,
        options,
        cancel,
        explains,
        stored,
        works,
        tilings: Vec::new(),
        tensors: Vec::new(),
        constants: Vec::new(),
        places: vec![None; graph.values.len()],
        linked: vec![false; graph.values.len()],
        pools: Pool::ALL.map(allowed),
        stopped_after: None,
        shortage: Cell::new(None),
    };
    for pool in [Pool::L2, Pool::Ddr] {
        planner.pools[pool.index()].images = options.images.max(1) as usize;
    }
    match planner.place() {
        Ok(tiles) => Ok(planner.finish(&tiles)),
        Err(error) => Err((error, planner.shortage.get())),
    }
}

impl Planner<'_> {
    /// Finds a place for everything; the offset of each buffer of each tiling.
    fn place(&mut self) -> Result<Vec<Vec<usize>>, StageError> {
        StageError::if_stopped(self.cancel)?;
        self.find_constants();
        self.divide()?;
        if !self.options.depth.after_l1 {
            self.chain_before_l1();
        }
        self.find_tensors();
        let tiles = self.place_in_l1()?;
        self.place_in_l2()?;
        self.place_in_ddr()?;
        StageError::if_stopped(self.cancel)?;
        Ok(tiles)
    }

    /// Whether the model fits with other options; if not, which pool is too small, where one is.
    fn fits(&self, options: &MemoryOptions) -> Result<(), Option<Shortage>> {
        attempt(self.graph, options, self.cancel, false).map(|_| ()).map_err(|(_, shortage)| shortage)
    }

    /// What is always there, in its home.
    fn find_constants(&mut self) {
        let options = self.options;
        let mut constants = Vec::new();
        for (place, (node, work)) in self.graph.nodes.iter().zip(&self.works).enumerate() {
            let parts = [
                (Kind::Weights, "weights", options.constant_home, work.weights),
                (Kind::Tables, "tables", options.tables_home, work.tables),
            ];
            for (kind, role, home, bytes) in parts.into_iter().filter(|(.., bytes)| *bytes > 0) {
                let weights_of = (kind == Kind::Weights).then_some((place, 0));
                constants.push(Constant { name: format!("{}/{role}", node.name), kind, home, bytes, weights_of });
            }
        }
        for (value, stored) in self.graph.values.iter().zip(&self.stored).filter(|(it, _)| it.constant.is_some()) {
            let (kind, home) = (Kind::Constant, options.constant_home);
            constants.push(Constant { name: value.name.clone(), kind, home, bytes: stored.bytes, weights_of: None });
        }
        if options.doubles_io {
            let mut ports: Vec<TensorId> = Vec::new();
            for &id in self.graph.inputs.iter().chain(&self.graph.outputs) {
                if !ports.contains(&id) {
                    ports.push(id);
                }
            }
            for id in ports.into_iter().filter(|&id| self.graph.value(id).constant.is_none()) {
                let bytes = self.stored[id.index()].bytes.saturating_mul(options.images.max(1) as usize);
                let name = format!("{}/second", self.graph.value(id).name);
                constants.push(Constant {
                    name,
                    kind: Kind::SecondCopy,
                    home: options.io_home,
                    bytes,
                    weights_of: None,
                });
            }
        }
        for constant in &constants {
            let bytes = self.sized(constant.bytes, constant.home).0;
            let constants = &mut self.pools[constant.home.index()].constants;
            *constants = constants.saturating_add(bytes);
        }
        self.constants = constants;
    }

    /// Bytes and alignment of a buffer in a pool.
    fn sized(&self, bytes: usize, pool: Pool) -> (usize, usize) {
        let unit = if pool != Pool::L1 && self.options.pages && bytes >= PAGE { PAGE } else { WORD };
        (bytes.checked_next_multiple_of(unit).unwrap_or(usize::MAX / 2), unit)
    }

    fn request(&self, tensor: &Tensor, pool: Pool) -> Request {
        let (bytes, alignment) = self.sized(tensor.bytes, pool);
        Request { bytes, alignment, first: tensor.alive.0, last: tensor.alive.1 }
    }

    fn divide(&mut self) -> Result<(), StageError> {
        let l1 = &self.pools[Pool::L1.index()];
        if l1.constants > l1.allowed {
            return Err(self.too_large(Pool::L1, l1.constants, None));
        }
        let left = l1.allowed - l1.constants;
        let options = self.options;
        let operators: Vec<(&str, &Work)> =
            self.graph.nodes.iter().zip(&self.works).map(|(node, work)| (node.name.as_str(), work)).collect();
        let fits = |options: &MemoryOptions| self.fits(options).is_ok();
        let whole = |tiling: &TilingOptions, budget: &Budget| {
            fits(&MemoryOptions { tiling: tiling.clone(), budget: budget.clone(), ..options.clone() })
        };
        let others = |tried: &mut Tried| places(options, Pool::L1, &fits, tried);
        let together =
            |needed: usize| together(options, Shortage { pool: Pool::L1, needed }, &|options| self.fits(options));
        let trials = Trials { whole: &whole, others: &others, together: &together };
        let trials = self.explains.then_some(&trials);
        let divided = divide(&operators, &options.tiling, &options.budget, left, &options.rates, trials);
        self.tilings = divided.map_err(|(error, needed)| {
            self.shortage.set(Some(Shortage { pool: Pool::L1, needed }));
            error
        })?;
        for constant in &mut self.constants {
            if let Some((node, loaded)) = &mut constant.weights_of {
                *loaded = self.tilings[*node].loaded_weights(&self.works[*node]);
            }
        }
        Ok(())
    }

    /// Operators that are tiled together, for tensors that are too large to stay in L1 as a whole.
    fn chain_before_l1(&mut self) {
        let l1 = self.pools[Pool::L1.index()];
        let capacity = l1.allowed - l1.constants;
        let stored = &self.stored;
        let too_large = |id: TensorId| stored[id.index()].bytes > capacity;
        let chains = self.chains(&|_| false, &too_large, &|_, _| capacity);
        self.take(chains);
    }

    fn chains(
        &self,
        in_l1: &dyn Fn(TensorId) -> bool,
        may_link: &dyn Fn(TensorId) -> bool,
        room: &dyn Fn(usize, usize) -> usize,
    ) -> Vec<Chain> {
        let options = self.options;
        let operators = Operators {
            graph: self.graph,
            works: &self.works,
            tilings: &self.tilings,
            options: options.depth,
            tiling: &options.tiling,
            rates: &options.rates,
            in_l1,
            may_link,
            room,
        };
        operators.chains()
    }

    fn take(&mut self, chains: Vec<Chain>) {
        for Chain { first, tilings } in chains {
            let links = tilings.len() - 1;
            for work in &self.works[first..first + links] {
                self.linked[work.writes.id.index()] = true;
            }
            for (own, tiling) in self.tilings[first..].iter_mut().zip(tilings) {
                *own = tiling;
            }
        }
    }

    /// The same for what did not find room in L1, beside what did. Chains with which the whole cannot be packed are not made.
    fn chain_after_l1(
        &mut self,
        choice: Choice,
        candidates: &[Candidate],
        ports: &[Tensor],
        capacity: usize,
    ) -> Choice {
        let residents: Vec<usize> = choice.chosen.iter().map(|&at| candidates[at].value).collect();
        let own = choice.chosen.iter().map(|&at| candidates[at].request);
        let lying: Vec<Request> = ports.iter().map(|it| self.request(it, Pool::L1)).chain(own.clone()).collect();
        let live = |step: usize| -> usize {
            lying.iter().filter(|it| it.first <= step && step <= it.last).map(|it| it.bytes).sum()
        };
        let room = |first: usize, last: usize| capacity.saturating_sub((first..=last).map(live).max().unwrap_or(0));
        let lies = |id: TensorId| residents.contains(&id.index()) || ports.iter().any(|port| port.value == id.index());
        let mut chains = self.chains(&lies, &|id| !lies(id), &room);
        let before = (self.tilings.clone(), self.linked.clone());
        while !chains.is_empty() && !self.cancel.is_cancelled() {
            self.take(chains.clone());
            let mut requests = self.tile_requests(&residents, ports);
            requests.extend(own.clone());
            let packing = pack(&requests, self.cancel);
            if packing.peak <= capacity {
                return Choice { packing, requests, ..choice };
            }
            (self.tilings, self.linked) = before.clone();
            chains.pop();
        }
        choice
    }

    /// What lies in L1 whatever else does: inputs and outputs that live there, and the tiles of each operator but for the
    /// tensors that stay there as a whole.
    fn tile_requests(&self, residents: &[usize], ports: &[Tensor]) -> Vec<Request> {
        let mut lying = vec![false; self.graph.values.len()];
        for value in residents.iter().copied().chain(ports.iter().map(|port| port.value)) {
            lying[value] = true;
        }
        let lies = |id: TensorId| lying[id.index()];
        let mut requests: Vec<Request> = ports.iter().map(|port| self.request(port, Pool::L1)).collect();
        for (step, tiling) in self.tilings.iter().enumerate() {
            let buffers = tiling.buffers.iter().filter(|buffer| !buffer.tensor.is_some_and(lies));
            let (first, last) = tiling.chain.unwrap_or((step, step));
            requests.extend(buffers.map(|it| Request { bytes: it.bytes, alignment: WORD, first, last }));
        }
        requests
    }

    fn find_tensors(&mut self) {
        let lifetimes = lifetimes(self.graph, self.options.doubles_io);
        let traffic = traffic(self.graph, &self.works, &self.tilings);
        for (value, alive) in lifetimes.into_iter().enumerate() {
            let Some(alive) = alive else { continue };
            let id = TensorId(value as u32);
            let (kind, home) = if self.graph.outputs.contains(&id) {
                (Kind::Output, self.options.io_home)
            } else if self.graph.inputs.contains(&id) {
                (Kind::Input, self.options.io_home)
            } else {
                (Kind::Tensor, self.options.workspace_home)
            };
            let bytes = self.stored[value].bytes;
            let traffic = if self.linked[value] { 0 } else { traffic[value] };
            self.tensors.push(Tensor { value, bytes, alive, home, kind, traffic });
        }
    }

    fn steps(&self) -> usize {
        self.graph.nodes.len().max(1)
    }

    /// Tiles, and tensors that stay in a core. Returns the offset of each buffer of each tiling.
    fn place_in_l1(&mut self) -> Result<Vec<Vec<usize>>, StageError> {
        let options = self.options;
        let capacity = self.pools[Pool::L1.index()].allowed - self.pools[Pool::L1.index()].constants;
        let (ports, inner): (Vec<Tensor>, Vec<Tensor>) =
            self.tensors.iter().copied().partition(|tensor| tensor.kind != Kind::Tensor);
        let ports: Vec<Tensor> = ports.into_iter().filter(|tensor| tensor.home == Pool::L1).collect();
        let forced = options.workspace_home == Pool::L1;
        // What cores work on together cannot lie in one of them.
        let may_stay = forced || (options.promotes && !(options.cooperates && options.budget.cores > 1));
        let candidates: Vec<Candidate> = inner
            .iter()
            .filter(|tensor| may_stay && tensor.bytes <= capacity && !self.linked[tensor.value])
            .map(|it| Candidate { value: it.value, request: self.request(it, Pool::L1), traffic: it.traffic })
            .collect();
        let tiles = |residents: &[usize]| self.tile_requests(residents, &ports);
        let mut freed: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.graph.values.len()];
        for (step, tiling) in self.tilings.iter().enumerate() {
            for buffer in &tiling.buffers {
                let (first, last) = tiling.chain.unwrap_or((step, step));
                if let Some(id) = buffer.tensor {
                    freed[id.index()].extend((first..=last).map(|step| (step, buffer.bytes)));
                }
            }
        }
        let room = Room { capacity, fixed: &tiles, freed: &|value| freed[value].clone() };
        let mut choice = choose(&candidates, &room, self.steps(), Effort::of(options.attempts), self.cancel);
        let missing =
            inner.iter().find(|it| forced && !choice.chosen.iter().any(|&at| candidates[at].value == it.value));
        if choice.packing.peak > capacity || missing.is_some() {
            let node = missing.and_then(|tensor| self.graph.nodes.get(tensor.alive.0)).map(|node| node.name.clone());
            let needed = missing.map_or(choice.packing.peak, |tensor| choice.packing.peak + tensor.bytes);
            return Err(self.too_large(Pool::L1, needed + self.pools[Pool::L1.index()].constants, node));
        }
        if options.depth.after_l1 {
            choice = self.chain_after_l1(choice, &candidates, &ports, capacity);
        }
        self.record(Pool::L1, &choice);
        let fixed = choice.requests.len() - choice.chosen.len();
        let mut offsets = choice.packing.offsets.iter().copied();
        for (port, offset) in ports.iter().zip(offsets.by_ref()) {
            self.places[port.value] = Some(Placement { pool: Pool::L1, offset, bytes: port.bytes });
        }
        let residents = choice.chosen.iter().map(|&at| candidates[at].value);
        for (value, &offset) in residents.zip(choice.packing.offsets.iter().skip(fixed)) {
            let bytes = self.stored[value].bytes;
            self.places[value] = Some(Placement { pool: Pool::L1, offset, bytes });
        }
        let places = &self.places;
        let lies = |id: TensorId| places[id.index()].is_some();
        let tilings: Vec<Tiling> = self.tilings.iter().map(|tiling| tiling.with_residents(&lies)).collect();
        let tiles = tilings.iter().map(|tiling| offsets.by_ref().take(tiling.buffers.len()).collect()).collect();
        self.tilings = tilings;
        Ok(tiles)
    }

    fn record(&mut self, pool: Pool, choice: &Choice) {
        let of = &mut self.pools[pool.index()];
        of.workspace = choice.packing.peak;
        of.live = largest_live_set(&choice.requests);
        let made = [self.stopped_after, choice.stopped_after].into_iter().flatten().min();
        self.stopped_after = made;
    }

    /// Tensors that still have no place and whose home is a pool.
    fn homeless(&self, home: Pool) -> Vec<Tensor> {
        let waiting = |tensor: &&Tensor| tensor.home == home && self.places[tensor.value].is_none();
        self.tensors.iter().filter(waiting).copied().collect()
    }

    /// What lives there, and what of DDR's tensors saves the most by moving up.
    fn place_in_l2(&mut self) -> Result<(), StageError> {
        let l2 = self.pools[Pool::L2.index()];
        let own = self.homeless(Pool::L2);
        let fixed: Vec<Request> = own.iter().map(|tensor| self.request(tensor, Pool::L2)).collect();
        let movable: Vec<Tensor> = self
            .homeless(Pool::Ddr)
            .into_iter()
            .filter(|it| self.options.promotes && it.kind == Kind::Tensor)
            .collect();
        let candidate =
            |it: &Tensor| Candidate { value: it.value, request: self.request(it, Pool::L2), traffic: it.traffic };
        let unit = if self.options.pages { PAGE } else { WORD };
        let capacity = l2.allowed.saturating_sub(l2.constants) / l2.images / unit * unit;
        let candidates: Vec<Candidate> = movable.iter().map(candidate).collect();
        let room = Room { capacity, fixed: &|_| fixed.clone(), freed: &|_| Vec::new() };
        let choice = choose(&candidates, &room, self.steps(), Effort::of(self.options.attempts), self.cancel);
        self.record(Pool::L2, &choice);
        let needed = self.pools[Pool::L2.index()].used();
        if needed > l2.allowed {
            return Err(self.too_large(Pool::L2, needed, self.fullest(&choice.requests)));
        }
        let chosen = choice.chosen.iter().map(|&at| movable[at]);
        let placed: Vec<Tensor> = own.iter().copied().chain(chosen).collect();
        self.settle(&placed, Pool::L2, &choice.packing.offsets);
        self.lift_weights();
        Ok(())
    }

    /// The room of L2 that is left goes to weights: those that are loaded most often first, then the largest.
    fn lift_weights(&mut self) {
        if !self.options.promotes {
            return;
        }
        let mut order: Vec<usize> = (0..self.constants.len())
            .filter(|&place| self.constants[place].weights_of.is_some() && self.constants[place].home == Pool::Ddr)
            .collect();
        let times = |place: usize| {
            let constant = &self.constants[place];
            constant.weights_of.map_or(0, |(_, loaded)| loaded / constant.bytes.max(1) as u64)
        };
        order.sort_by_key(|&place| (u64::MAX - times(place), usize::MAX - self.constants[place].bytes, place));
        for place in order {
            let bytes = self.sized(self.constants[place].bytes, Pool::L2).0;
            if self.pools[Pool::L2.index()].used().saturating_add(bytes) <= self.pools[Pool::L2.index()].allowed {
                self.constants[place].home = Pool::L2;
                self.pools[Pool::L2.index()].constants += bytes;
                self.pools[Pool::Ddr.index()].constants -= bytes;
            }
        }
    }

    fn place_in_ddr(&mut self) -> Result<(), StageError> {
        let own = self.homeless(Pool::Ddr);
        let fixed: Vec<Request> = own.iter().map(|tensor| self.request(tensor, Pool::Ddr)).collect();
        let ddr = self.pools[Pool::Ddr.index()];
        let room = Room { capacity: ddr.allowed, fixed: &|_| fixed.clone(), freed: &|_| Vec::new() };
        let choice = choose(&[], &room, self.steps(), Effort::of(1), self.cancel);
        self.record(Pool::Ddr, &choice);
        let needed = self.pools[Pool::Ddr.index()].used();
        if needed > ddr.allowed {
            return Err(self.too_large(Pool::Ddr, needed, self.fullest(&choice.requests)));
        }
        self.settle(&own, Pool::Ddr, &choice.packing.offsets);
        Ok(())
    }

    fn settle(&mut self, tensors: &[Tensor], pool: Pool, offsets: &[usize]) {
        for (tensor, &offset) in tensors.iter().zip(offsets) {
            self.places[tensor.value] = Some(Placement { pool, offset, bytes: tensor.bytes });
        }
    }

    /// The node at which the most is alive.
    fn fullest(&self, requests: &[Request]) -> Option<String> {
        let live = |step: usize| -> usize {
            requests.iter().filter(|it| it.first <= step && step <= it.last).map(|it| it.bytes).sum()
        };
        let step = (0..self.graph.nodes.len()).max_by_key(|&step| (live(step), usize::MAX - step))?;
        Some(self.graph.nodes.get(step)?.name.clone())
    }

    /// What is said where a pool is too small.
    fn too_large(&self, pool: Pool, needed: usize, node: Option<String>) -> StageError {
        let of = &self.pools[pool.index()];
        let constants = match of.constants {
            0 => String::new(),
            bytes => format!(", of them {bytes} for what is always there"),
        };
        let images = if of.images > 1 { format!(" for {} images", of.images) } else { String::new() };
        let allowed = of.allowed;
        let message =
            format!("the plan needs {needed} bytes of {pool}{images}{constants}, and the model may hold {allowed}");
        let error = StageError::new(Status::LowerMidendError, message);
        self.shortage.set(Some(Shortage { pool, needed }));
        let error = match node {
            Some(node) => error.node(node),
            None => error,
        };
        if !self.explains {
            return error;
        }
        error.hint(help(self.options, Shortage { pool, needed }, &|options| self.fits(options)))
    }

    /// All buffers with their places.
    fn finish(mut self, tiles: &[Vec<usize>]) -> MemoryPlan {
        let mut buffers = Vec::new();
        // Constants of whole pages lie before the work spaces, the others behind them: nothing is lost between.
        let mut constants = std::mem::take(&mut self.constants);
        constants.sort_by_key(|constant| usize::MAX - self.sized(constant.bytes, constant.home).1);
        let mut pages = [0; 3];
        for constant in &constants {
            let (bytes, alignment) = self.sized(constant.bytes, constant.home);
            pages[constant.home.index()] += if alignment == PAGE { bytes } else { 0 };
        }
        for tensor in &self.tensors {
            let Some(Placement { pool, offset, bytes }) = self.places[tensor.value] else { continue };
            let name = self.graph.values[tensor.value].name.clone();
            let offset = pages[pool.index()] + offset;
            buffers.push(Buffer { name, kind: tensor.kind, pool, offset, bytes, alive: Some(tensor.alive) });
        }
        let mut paged = [0; 3];
        let mut ends = Pool::ALL.map(|pool| {
            let of = &self.pools[pool.index()];
            pages[pool.index()] + of.workspace * of.images
        });
        let mut weights = vec![Pool::Ddr; self.works.len()];
        for constant in &constants {
            let pool = constant.home;
            let (bytes, alignment) = self.sized(constant.bytes, pool);
            let end = if alignment == PAGE { &mut paged } else { &mut ends };
            let offset = end[pool.index()];
            end[pool.index()] += bytes;
            if let Some((node, _)) = constant.weights_of {
                weights[node] = pool;
            }
            let name = constant.name.clone();
            buffers.push(Buffer { name, kind: constant.kind, pool, offset, bytes: constant.bytes, alive: None });
        }
        for (step, ((node, tiling), offsets)) in self.graph.nodes.iter().zip(&self.tilings).zip(tiles).enumerate() {
            for (buffer, &offset) in tiling.buffers.iter().zip(offsets) {
                let of = buffer.tensor.map_or("", |id| self.graph.value(id).name.as_str());
                let name = format!("{}/{} {of}", node.name, buffer.role).trim_end().to_owned();
                let alive = tiling.chain.or(Some((step, step)));
                buffers.push(Buffer { name, kind: Kind::Tile, pool: Pool::L1, offset, bytes: buffer.bytes, alive });
            }
        }
        let end = |pool: Pool| {
            let placed = self.places.iter().flatten().filter(|it| it.pool == pool);
            placed.map(|it| it.offset + it.bytes).max().unwrap_or(0)
        };
        MemoryPlan {
            l1_bytes: end(Pool::L1),
            l2_bytes: end(Pool::L2),
            ddr_bytes: end(Pool::Ddr),
            placements: self.places,
            buffers,
            pools: self.pools,
            works: self.works,
            tilings: self.tilings,
            linked: self.linked,
            weights,
            tables: self.options.tables_home,
            stopped_after: self.stopped_after,
        }
    }
}
