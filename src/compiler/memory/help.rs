//! Settings with which a model fits that does not fit as it is told. Each is tried on the whole plan before it is named: what one
//! memory lacks, another may lack as well.

use crate::compiler::memory::Budget;
use crate::compiler::memory::MemoryOptions;
use crate::compiler::memory::Pool;

/// A size that a pool is tried with: what it was found to need, times these over 8. More may be needed than what was seen when
/// the plan was given up, such as room for tiles beside what stays in L1.
const SIZES: [usize; 7] = [8, 9, 10, 12, 16, 24, 32];

/// Sizes of a pool with which it has room for `needed` bytes or somewhat more, the smallest first.
fn sizes(budget: &Budget, pool: Pool, needed: usize) -> Vec<usize> {
    let parts = SIZES.iter().map(|part| needed.div_ceil(8).saturating_mul(*part));
    parts.filter_map(|bytes| budget.size_for(pool, bytes)).collect()
}

/// Settings that were tried, each by itself on the whole plan, and those with which the model fits.
#[derive(Debug, Default)]
pub(super) struct Tried {
    names: Vec<String>,
    fitting: Vec<String>,
}

impl Tried {
    /// Takes note of settings (by their names) that were tried, and of what is to be set where that helps.
    pub(super) fn note(&mut self, names: &str, fitting: Option<String>) {
        self.names.push(names.to_owned());
        self.fitting.extend(fitting);
    }

    /// Tries sizes of a pool that needs `needed` bytes, and takes note of the properties that have to be raised.
    pub(super) fn note_size(&mut self, budget: &Budget, pool: Pool, needed: usize, fits: &dyn Fn(usize) -> bool) {
        let sizes = sizes(budget, pool, needed);
        let larger: Vec<(usize, String)> = sizes.into_iter().map(|size| (size, budget.below(pool, size))).collect();
        let mut larger = larger.into_iter().filter(|(_, names)| !names.is_empty()).peekable();
        let Some((_, least)) = larger.peek().cloned() else { return };
        let fitting = larger.find(|(size, _)| fits(*size));
        self.note(&least, fitting.map(|(size, names)| format!("{names} of {size}, where the device has that")));
    }

    /// What is said of it; `together` looks for settings of which each by itself is not enough.
    pub(super) fn hint(self, together: impl FnOnce() -> Option<String>) -> String {
        if self.fitting.is_empty() {
            if let Some(sizes) = together() {
                return format!("no setting by itself was found to be enough; it would fit with {sizes}");
            }
            return format!("no setting by itself was found to be enough; tried: {}", self.names.join(", "));
        }
        format!("it would fit with {}", self.fitting.join("; or with "))
    }
}

/// A pool that is too small, and the bytes that it was found to need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shortage {
    pub(super) pool: Pool,
    pub(super) needed: usize,
}

/// How often a pool is made larger before the search for sizes of several ends.
const ROUNDS: usize = 6;

/// Sizes of several pools with which the model fits, where one of them alone is not enough: the first one is raised until another
/// one is too small, then that one. `attempt` says whether the model fits with other options, and if not, which pool is too small.
pub(super) fn together(
    options: &MemoryOptions,
    first: Shortage,
    attempt: &dyn Fn(&MemoryOptions) -> Result<(), Option<Shortage>>,
) -> Option<String> {
    let mut raised = options.clone();
    let mut found: [Option<usize>; 3] = [None; 3];
    let mut short = first;
    for _ in 0..ROUNDS {
        let larger = |size: &usize| !raised.budget.below(short.pool, *size).is_empty();
        let (with, size, left) =
            sizes(&raised.budget, short.pool, short.needed).into_iter().filter(larger).find_map(|size| {
                let mut with = raised.clone();
                with.budget.raise(short.pool, size);
                match attempt(&with) {
                    Ok(()) => Some((with, size, None)),
                    Err(left) => left.filter(|left| left.pool != short.pool).map(|left| (with, size, Some(left))),
                }
            })?;
        raised = with;
        found[short.pool.index()] = Some(size);
        let Some(next) = left else {
            let sizes = Pool::ALL.into_iter().filter_map(|pool| {
                let size = found[pool.index()]?;
                Some(format!("{} of {size}", options.budget.below(pool, size)))
            });
            let sizes: Vec<String> = sizes.collect();
            return Some(format!("{} together, where the device has that", sizes.join(" and ")));
        };
        short = next;
    }
    None
}

/// A hint for a pool that is too small. `attempt` says whether the model fits with other options, and if not, which pool is too
/// small.
pub(super) fn help(
    options: &MemoryOptions,
    Shortage { pool, needed }: Shortage,
    attempt: &dyn Fn(&MemoryOptions) -> Result<(), Option<Shortage>>,
) -> String {
    let fits = &|options: &MemoryOptions| attempt(options).is_ok();
    let mut tried = Tried::default();
    let with_share = |share| {
        let mut options = options.clone();
        options.budget.resources = share;
        options
    };
    let mut shares = options.budget.shares_for(pool, needed).peekable();
    if shares.peek().is_some() {
        let share = shares.find(|&share| fits(&with_share(share)));
        tried.note("`resources_used`", share.map(|share| format!("`resources_used` of {share} or more")));
    }
    places(options, pool, fits, &mut tried);
    let is_enough = |size: usize| {
        let mut options = options.clone();
        options.budget.raise(pool, size);
        fits(&options)
    };
    tried.note_size(&options.budget, pool, needed, &is_enough);
    tried.hint(|| together(options, Shortage { pool, needed }, attempt))
}

/// Tries what takes buffers out of a pool: fewer cores, inputs and outputs once, other homes.
pub(super) fn places(options: &MemoryOptions, pool: Pool, fits: &dyn Fn(&MemoryOptions) -> bool, tried: &mut Tried) {
    let changed = |change: &dyn Fn(&mut MemoryOptions)| {
        let mut options = options.clone();
        change(&mut options);
        options
    };
    if options.images > 1 {
        let with_cores = |cores| changed(&|it| (it.budget.cores, it.images) = (cores, cores));
        let cores = (1..options.images).rev().find(|&cores| fits(&with_cores(cores)));
        tried.note("`aipu_cores_used`", cores.map(|cores| format!("`aipu_cores_used` of {cores} or fewer")));
    }
    if options.doubles_io {
        let helps = fits(&changed(&|it| it.doubles_io = false));
        tried.note("`double_buffer`", helps.then(|| "`double_buffer` false".to_owned()));
    }
    if pool != Pool::Ddr {
        type Home = fn(&mut MemoryOptions) -> &mut Pool;
        let homes: [(Home, &str); 4] = [
            (|it| &mut it.workspace_home, "workspace_memory_pool"),
            (|it| &mut it.io_home, "io_memory_pool"),
            (|it| &mut it.constant_home, "constant_memory_pool"),
            (|it| &mut it.tables_home, "dpu_constants_home"),
        ];
        for (home, name) in homes {
            let moved = changed(&|it| *home(it) = Pool::Ddr);
            if moved != *options && *home(&mut options.clone()) == pool {
                tried.note(&format!("`{name}`"), fits(&moved).then(|| format!("`{name}` global.ddr")));
            }
        }
    }
}
