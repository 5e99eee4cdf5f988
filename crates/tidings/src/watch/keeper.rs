//! The thread that keeps the watch: walks, watches, the clock, roots that come and go.
//!
//! It alone calls into notify (see `native`), and never while it holds the desk's lock. Between
//! two directories of a walk it looks at the clock, so that a long walk delays no notice.

use super::content::Version;
use super::debounce::Sign;
use super::desk::Desk;
use super::error::WatchError;
use super::inbox::{Call, Job};
use super::lock;
use super::native::{self, Heard, Native, PER_DIRECTORY, Refusal, Report};
use super::polling::Polling;
use super::stamp::{Identity, Stamp, TICK, as_ns, now_ns};
use super::survey::{self, Found, Survey};
use super::tree::{Place, Tree};
use super::{Change, ChangeKind, ChangeSet, Notice};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a missing root is looked for.
const MISSING_PAUSE: Duration = Duration::from_millis(100);
/// How often the roots are compared with what is watched: catches a switched link above a root.
const ROOT_PAUSE: Duration = Duration::from_secs(1);

/// What is hashed after the first walk, so that a first save without a change says nothing.
const HASHED_FILE_BYTES: u64 = 4 << 20;
const HASHED_BYTES: u64 = 128 << 20;
const HASHED_FILES: usize = 20_000;

/// The keeper's own: nobody else sees it.
pub(super) struct Keeper {
    desk: Arc<Desk>,
    anchors: Vec<Anchor>,
    polling: Polling,
    /// Files still to be hashed.
    unhashed: Unhashed,
    started_ns: i64,
    directory_limit: usize,
    limit_told: bool,
    next_root_check: Instant,
}

/// How one root hangs in the file system.
struct Anchor {
    /// The directory that is watched: the root, or the directory of a root that is a file.
    directory: PathBuf,
    native: Native,
    /// What is watched now; none while the root is gone.
    standing: Option<Standing>,
    /// That it is gone has been said.
    gone_told: bool,
    watched: usize,
}

/// Which directory it is. Inode numbers are used again, times of birth are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    identity: Identity,
    born: Option<std::time::SystemTime>,
}

#[derive(Default)]
struct Unhashed {
    paths: Vec<PathBuf>,
    bytes: u64,
}

/// Why a walk is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    /// The first one: what changed since the start is reported with `Ready`.
    First,
    /// A directory appeared: everything in it is reported.
    Appeared,
    /// Anything may have changed, and that is said as a whole.
    Again,
    /// The rules changed: there may be more to watch, and nothing to say.
    Rules,
}

/// What is this young when the rules change is left to its own signs.
const RULES_TICK: Duration = Duration::from_millis(100);

impl Keeper {
    pub(super) fn new(
        desk: Arc<Desk>,
        natives: Vec<(PathBuf, Native)>,
        directory_limit: Option<usize>,
        started_ns: i64,
    ) -> Keeper {
        let anchors = natives.into_iter().map(|(directory, native)| Anchor {
            directory,
            native,
            standing: None,
            gone_told: false,
            watched: 0,
        });
        Keeper {
            desk,
            anchors: anchors.collect(),
            polling: Polling::default(),
            unhashed: Unhashed::default(),
            started_ns,
            directory_limit: directory_limit.unwrap_or(usize::MAX),
            limit_told: false,
            next_root_check: Instant::now() + ROOT_PAUSE,
        }
    }

    /// Runs until the inbox is stopped.
    pub(super) fn run(mut self) {
        self.first_walk();
        loop {
            let until = match self.unhashed.paths.is_empty() {
                false => Some(Instant::now()),
                true => self.next_due(),
            };
            match self.desk.inbox.wait(until) {
                Call::Stop => return,
                Call::Job(job) => self.work(job),
                Call::Clock => self.hash_one(),
            }
            self.look_at_clock();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let due = lock(&self.desk.state).debouncer.due();
        [due, self.polling.due(), Some(self.next_root_check)]
            .into_iter()
            .flatten()
            .min()
    }

    fn look_at_clock(&mut self) {
        self.desk.publish_due(&mut lock(&self.desk.state));
        let now = Instant::now();
        if self.polling.due().is_some_and(|due| due <= now) {
            self.sweep();
        }
        if self.next_root_check <= now {
            for root in 0..self.anchors.len() {
                self.check_root(root, false);
            }
            let missing = self.anchors.iter().any(|anchor| anchor.standing.is_none());
            let pause = if missing { MISSING_PAUSE } else { ROOT_PAUSE };
            self.next_root_check = Instant::now() + pause;
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Look { root, path } => self.look(root, &path),
            Job::Root { root } => self.check_root(root, true),
            Job::Rescan { root } => self.rescan(root),
            Job::Rules { root, directory } => self.reload_rules(root, &directory),
            Job::Announce { path } => {
                let sign = Sign::Complete { fresh: false };
                self.desk.sign(&mut lock(&self.desk.state), path, sign);
            }
        }
    }

    fn first_walk(&mut self) {
        let mut found = Vec::new();
        for root in 0..self.anchors.len() {
            self.stand(root, Walk::First, &mut found);
        }
        let mut state = lock(&self.desk.state);
        let kinds: Vec<(PathBuf, ChangeKind)> = found
            .into_iter()
            .map(|(path, created)| match created {
                true => (path, ChangeKind::Created),
                false => (path, ChangeKind::Modified),
            })
            .collect();
        let mut changes = Vec::with_capacity(kinds.len());
        for (path, kind) in kinds {
            // What was announced meanwhile because its directory was watched already is not news.
            for change in self.desk.judge(&mut state, vec![path]) {
                changes.push(Change { kind, ..change });
            }
        }
        state.ready = true;
        let directories = state.roots.iter().map(|rooted| rooted.tree.len()).sum();
        let newest_ms = state.newest_ms;
        state.tell(Notice::Ready {
            newest_ms,
            changes,
            directories,
        });
    }

    /// Watches a root and walks it. False if it is not there.
    fn stand(&mut self, root: usize, walk: Walk, found: &mut Vec<(PathBuf, bool)>) -> bool {
        let anchor = &mut self.anchors[root];
        let standing = standing(&anchor.directory);
        anchor.standing = standing;
        if standing.is_none() {
            self.tell_gone(root);
            return false;
        }
        anchor.gone_told = false;
        let (path, is_file) = {
            let state = lock(&self.desk.state);
            let tree = &state.roots[root].tree;
            (tree.root.clone(), tree.is_file)
        };
        if !is_file
            && let Some(parent) = path.parent()
            && let Ok(meta) = fs::metadata(parent)
        {
            // What happens to the root's own name is heard by its parent. Where that cannot be
            // watched, the check once a second finds it.
            if anchor.native.watch_flat(parent).is_ok() {
                let stamp = Stamp::of(&meta);
                lock(&self.desk.state).roots[root]
                    .tree
                    .enter_outside(parent, &stamp);
            }
        }
        if is_file {
            self.stand_file(root, &path, walk, found);
        } else {
            self.walk(root, path, walk, found);
        }
        true
    }

    fn stand_file(
        &mut self,
        root: usize,
        path: &Path,
        walk: Walk,
        found: &mut Vec<(PathBuf, bool)>,
    ) {
        let anchor = &mut self.anchors[root];
        let refused = anchor.native.watch_flat(&anchor.directory).err();
        let mut state = lock(&self.desk.state);
        match refused {
            None => {}
            Some(Refusal::Limit) => state.tell(Notice::Trouble(too_many(&anchor.directory))),
            Some(Refusal::Other(error)) => state.tell(Notice::Trouble(WatchError::System(error))),
        }
        for meta in [fs::metadata(path), fs::metadata(&anchor.directory)]
            .into_iter()
            .flatten()
        {
            let newest_ms = Stamp::of(&meta).newest_ms(now_ns());
            if meta.is_file() {
                state.newest_ms = state.newest_ms.max(newest_ms);
                lock(&self.desk.book).learn(path);
                if walk == Walk::First && self.is_young(&Stamp::of(&meta)) {
                    found.push((path.to_owned(), false));
                }
            }
        }
    }

    /// Watches and lists a directory and all below it: watch first, then list, so that what
    /// appears meanwhile is either listed or heard.
    fn walk(&mut self, root: usize, top: PathBuf, walk: Walk, found: &mut Vec<(PathBuf, bool)>) {
        let mut directories = VecDeque::from([top]);
        let mut linked = VecDeque::new();
        while let Some(directory) = directories.pop_front().or_else(|| linked.pop_front()) {
            if self.desk.inbox.is_stopped() {
                return;
            }
            if let Some(survey) = self.visit(root, &directory, walk, found) {
                directories.extend(survey.directories);
                linked.extend(survey.linked_directories);
            }
            self.desk.publish_due(&mut lock(&self.desk.state));
        }
    }

    fn visit(
        &mut self,
        root: usize,
        directory: &Path,
        walk: Walk,
        found: &mut Vec<(PathBuf, bool)>,
    ) -> Option<Survey> {
        let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
        let stamp = Stamp::of(&meta);
        let place = lock(&self.desk.state).roots[root]
            .tree
            .enter(directory, &stamp);
        let polled = match place {
            Place::Loop => return None,
            Place::Alias => false,
            Place::First => !self.watch(root, directory)?,
        };
        let ignores = {
            let mut state = lock(&self.desk.state);
            let ignores = &mut state.roots[root].tree.ignores;
            if survey::has_rules(directory) {
                Arc::make_mut(ignores).load(directory);
            }
            Arc::clone(ignores)
        };
        let now_ns = now_ns();
        let mut survey = survey::survey(directory, &ignores, now_ns).ok()?;
        drop(ignores);
        if polled {
            self.polling.add(root, directory, &survey, Instant::now());
        } else {
            self.polling.remove(directory);
        }
        let files = std::mem::take(&mut survey.files);
        for file in &files {
            if let Some(real) = &file.real {
                self.follow(root, &file.path, real);
            }
        }
        let empty = files.is_empty()
            && survey.directories.is_empty()
            && survey.linked_directories.is_empty();
        let newest_ms = survey.newest_ms.max(stamp.newest_ms(now_ns));
        self.note(directory, &stamp, files, empty, newest_ms, walk, found);
        Some(survey)
    }

    /// Enters what a walk found in one directory.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and all of it is the survey"
    )]
    fn note(
        &mut self,
        directory: &Path,
        stamp: &Stamp,
        files: Vec<Found>,
        empty: bool,
        newest_ms: u64,
        walk: Walk,
        found: &mut Vec<(PathBuf, bool)>,
    ) {
        let mut state = lock(&self.desk.state);
        if walk == Walk::Appeared {
            // The sign brings the time of what is reported; here it would come before it.
            let fresh = Sign::Complete { fresh: true };
            if empty && !lock(&self.desk.book).knows(directory) {
                self.desk.sign(&mut state, directory.to_owned(), fresh);
            } else {
                lock(&self.desk.book).learn(directory);
            }
            for file in files {
                self.desk.sign(&mut state, file.path, fresh);
            }
            return;
        }
        state.newest_ms = state.newest_ms.max(newest_ms);
        let mut young = false;
        {
            let mut book = lock(&self.desk.book);
            book.learn(directory);
            for file in files {
                // To know it is to call it modified; its own sign is to call it created.
                let signed = match walk {
                    Walk::First | Walk::Appeared => false,
                    Walk::Again => state.debouncer.holds(&file.path),
                    Walk::Rules => {
                        state.debouncer.holds(&file.path)
                            || now_ns() - file.stamp.changed_ns < as_ns(RULES_TICK)
                    }
                };
                if signed {
                    continue;
                }
                book.learn(&file.path);
                if walk == Walk::First && self.is_young(&file.stamp) {
                    young = true;
                    let created = file.born_ns.is_some_and(|born| born >= self.young_from());
                    found.push((file.path, created));
                } else if walk == Walk::First {
                    self.unhashed.push(file);
                }
            }
        }
        // A directory that changed though nothing in it did: something was taken out of it.
        if walk == Walk::First && !young && self.is_young(stamp) {
            found.push((directory.to_owned(), false));
        }
    }

    /// Has the system watch a directory. False if it is to be polled; none if it is gone.
    fn watch(&mut self, root: usize, directory: &Path) -> Option<bool> {
        let anchor = &mut self.anchors[root];
        if !PER_DIRECTORY && directory != anchor.directory {
            return Some(true);
        }
        let refusal = if anchor.watched >= self.directory_limit {
            Refusal::Limit
        } else {
            match anchor.native.watch(directory) {
                Ok(()) => {
                    anchor.watched += 1;
                    return Some(true);
                }
                Err(refusal) => refusal,
            }
        };
        let trouble = match refusal {
            Refusal::Limit => too_many(directory),
            Refusal::Other(_) if fs::metadata(directory).is_err() => {
                lock(&self.desk.state).roots[root].tree.leave(directory);
                return None;
            }
            Refusal::Other(error) => WatchError::System(error),
        };
        if !std::mem::replace(&mut self.limit_told, true) {
            lock(&self.desk.state).tell(Notice::Trouble(trouble));
        }
        Some(false)
    }

    /// Follows a link to a file: where that lies outside of the tree, its directory is watched.
    fn follow(&mut self, root: usize, link: &Path, real: &Path) {
        let Some(parent) = real.parent() else { return };
        let Ok(meta) = fs::metadata(parent) else {
            return;
        };
        let watch = {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            tree.enter_link(link, real.to_owned());
            tree.enter_outside(parent, &Stamp::of(&meta))
        };
        if watch && PER_DIRECTORY {
            // Refused: then changes of the link itself are still seen.
            let _ = self.anchors[root].native.watch_flat(parent);
        }
    }

    /// Something happened to what is, was or may be a directory: watch what is there now.
    fn look(&mut self, root: usize, path: &Path) {
        let orphans = lock(&self.desk.state).roots[root].tree.leave(path);
        self.polling.remove(path);
        if path.is_dir() {
            self.walk(root, path.to_owned(), Walk::Appeared, &mut Vec::new());
        } else if let Ok(real) = fs::canonicalize(path)
            && real.is_file()
            && fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
        {
            self.follow(root, path, &real);
        }
        for path in orphans {
            self.desk.inbox.ask(Job::Look { root, path });
        }
    }

    /// Compares a root with what is watched. `touched`: its name was made to mean something
    /// else, so that even the same inode is not what was watched.
    fn check_root(&mut self, root: usize, touched: bool) {
        let anchor = &mut self.anchors[root];
        let now = standing(&anchor.directory);
        match (anchor.standing, now) {
            (Some(_), None) => {
                anchor.standing = None;
                self.tell_gone(root);
            }
            (before, Some(_)) if touched || before != now => self.replace(root),
            (_, _) => {}
        }
    }

    fn tell_gone(&mut self, root: usize) {
        self.next_root_check = Instant::now() + MISSING_PAUSE;
        let anchor = &mut self.anchors[root];
        if !std::mem::replace(&mut anchor.gone_told, true) {
            let path = anchor.directory.clone();
            lock(&self.desk.state).tell(Notice::Trouble(WatchError::RootGone { path }));
        }
    }

    /// The root is another one: a new native watcher, so that nothing of the old one is heard.
    fn replace(&mut self, root: usize) {
        let life = {
            let mut state = lock(&self.desk.state);
            let rooted = &mut state.roots[root];
            rooted.life += 1;
            rooted.tree.clear();
            rooted.life
        };
        // Asked by the life that is over: one replacement is heard several times.
        self.desk.inbox.clear(root);
        match listen(&self.desk, root, life) {
            Ok(native) => self.anchors[root].native = native,
            Err(trouble) => {
                // Tried again with the next check.
                self.anchors[root].standing = None;
                lock(&self.desk.state).tell(Notice::Trouble(trouble));
                return;
            }
        }
        self.rescan(root);
    }

    fn rescan(&mut self, root: usize) {
        lock(&self.desk.state).roots[root].tree.clear();
        self.anchors[root].watched = 0;
        if !self.stand(root, Walk::Again, &mut Vec::new()) {
            return;
        }
        let mut state = lock(&self.desk.state);
        lock(&self.desk.book).doubt_all();
        self.unhashed.paths.clear();
        let newest_ms = state.newest_ms;
        state.tell(Notice::Changed(ChangeSet {
            newest_ms,
            changes: Vec::new(),
            rescan: true,
        }));
    }

    /// Rules changed: what is no longer ignored is watched. Nothing is said of it, because
    /// nothing that is served has changed.
    fn reload_rules(&mut self, root: usize, directory: &Path) {
        {
            let tree = &mut lock(&self.desk.state).roots[root].tree;
            if !tree.has_directory(directory) {
                return;
            }
            Arc::make_mut(&mut tree.ignores).load(directory);
        }
        let top = directory.to_owned();
        self.walk(root, top, Walk::Rules, &mut Vec::new());
    }

    /// Looks at the directories that the system does not watch.
    fn sweep(&mut self) {
        let started = Instant::now();
        for (root, directory) in self.polling.directories() {
            if self.desk.inbox.is_stopped() {
                return;
            }
            let (ignores, life) = {
                let state = lock(&self.desk.state);
                let rooted = &state.roots[root];
                (Arc::clone(&rooted.tree.ignores), rooted.life)
            };
            let Ok(survey) = survey::survey(&directory, &ignores, now_ns()) else {
                self.polling.remove(&directory);
                self.desk.inbox.ask(Job::Look {
                    root,
                    path: directory,
                });
                continue;
            };
            let differences = self.polling.compare(&directory, &survey);
            let signs = [
                (differences.gone, Heard::Gone),
                (differences.appeared, Heard::Arrived),
                (differences.written, Heard::Closed),
            ];
            for (paths, heard) in signs {
                for path in paths {
                    self.desk.hear(root, life, Report::Heard(path, heard));
                }
            }
            self.desk.publish_due(&mut lock(&self.desk.state));
        }
        self.polling.swept(started, Instant::now());
    }

    fn hash_one(&mut self) {
        let Some(path) = self.unhashed.paths.pop() else {
            return;
        };
        if let Ok(version) = Version::read(&path) {
            lock(&self.desk.book).enter_first(&path, &version, self.started_ns);
        }
        if self.unhashed.paths.is_empty() {
            self.unhashed = Unhashed::default();
        }
    }

    /// Files changed from here on may have changed after the start.
    fn young_from(&self) -> i64 {
        self.started_ns - as_ns(TICK)
    }

    fn is_young(&self, stamp: &Stamp) -> bool {
        stamp.changed_ns >= self.young_from()
    }
}

impl Unhashed {
    fn push(&mut self, file: Found) {
        let bytes = self.bytes + file.stamp.size;
        if file.stamp.size <= HASHED_FILE_BYTES
            && bytes <= HASHED_BYTES
            && self.paths.len() < HASHED_FILES
        {
            self.bytes = bytes;
            self.paths.push(file.path);
        }
    }
}

/// A native watcher whose reports go to the desk.
pub(super) fn listen(desk: &Arc<Desk>, root: usize, life: u64) -> Result<Native, WatchError> {
    let desk = Arc::clone(desk);
    Native::start(move |report| desk.hear(root, life, report))
}

/// The directory that a tree hangs on.
pub(super) fn anchor_of(tree: &Tree) -> PathBuf {
    match tree.root.parent() {
        Some(parent) if tree.is_file => parent.to_owned(),
        Some(_) | None => tree.root.clone(),
    }
}

fn standing(directory: &Path) -> Option<Standing> {
    let meta = fs::metadata(directory).ok().filter(fs::Metadata::is_dir)?;
    Some(Standing {
        identity: Stamp::of(&meta).identity(),
        born: meta.created().ok(),
    })
}

fn too_many(directory: &Path) -> WatchError {
    WatchError::TooManyDirectories {
        limit: native::read_limit("max_user_watches"),
        path: directory.to_owned(),
    }
}
