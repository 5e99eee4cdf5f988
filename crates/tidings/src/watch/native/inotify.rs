//! Watching on Linux: inotify, asked for nothing that we do not want to know.
//!
//! Every page that is served is a file that is opened and closed. notify has no way to say that this
//! does not matter (version 8; it asks for `IN_OPEN`), so with it each request would wake a thread.
//!
//! One thread reads events and calls the handler; watches are added by whoever calls [`Native::watch`].
//! What must stay true:
//! - a watch and its path are entered together, under the lock that the thread needs to look up the
//!   path: no event comes before its path is known;
//! - the handler is called under no lock of ours.
//!
//! inotify names a directory by the path it was watched by, for ever. So when one is moved away its watch
//! and those of all below it end, as soon as the event of that is read. A directory of the same name that was watched meanwhile
//! loses its watch with it: every event of a directory must be followed by a new `watch`. (When a directory
//! is deleted, the system itself ends that one watch.)

use super::{NativeEvent, RawEvent, Refusal, limit_of};
use crate::watch::error::WatchError;
use crate::watch::lock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is asked of a directory. Neither `OPEN`, `ACCESS` nor `CLOSE_NOWRITE`: those are readers.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF);

/// Room for some hundred events; names are short.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long a queue is drained. It holds 16384 events (inotify(7), `max_queued_events`).
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// One inotify instance. Dropping it ends all its watches.
pub(in crate::watch) struct Native {
    shared: Arc<Shared>,
    /// Wakes the thread to drain the queue. Dropped with this: that is what ends the thread.
    wake: PipeWriter,
}

struct Shared {
    inotify: OwnedFd,
    // Held while a watch is added or removed, and while a path is looked up.
    watches: Mutex<Watches>,
    /// Who waits until the queue has been drained.
    draining: Mutex<Vec<Sender<()>>>,
}

/// Which descriptor stands for which path. Two paths to one directory have one descriptor: events come by
/// the path that was watched last, and the watch ends when either is moved away.
#[derive(Default)]
struct Watches {
    paths: HashMap<i32, Arc<Path>>,
    descriptors: BTreeMap<Arc<Path>, i32>,
}

impl Native {
    /// `handler` runs on a thread of its own, one report at a time. It returns when it wants to be called
    /// again if nothing else comes.
    pub(in crate::watch) fn start(
        handler: impl FnMut(NativeEvent) -> Option<Instant> + Send + 'static,
    ) -> Result<Native, WatchError> {
        let inotify = match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(inotify) => inotify,
            // inotify_init1(2): EMFILE is both this process's table and max_user_instances.
            Err(Errno::MFILE) => {
                let limit = limit_of("instances");
                return Err(WatchError::TooManyWatchers { limit });
            }
            Err(error) => return Err(WatchError::System(error.into())),
        };
        let (woken, wake) = io::pipe().map_err(WatchError::System)?;
        let shared = Arc::new(Shared {
            inotify,
            watches: Mutex::default(),
            draining: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("tidings-inotify".to_owned())
            .spawn(move || for_thread.listen(&woken, handler))
            .map_err(WatchError::System)?;
        Ok(Native { shared, wake })
    }

    /// Returns when every event that the system has had by now was handled. (It queues an event before
    /// the call that caused it returns.)
    pub(in crate::watch) fn drain(&self) {
        let (drained, done) = channel();
        lock(&self.shared.draining).push(drained);
        if (&self.wake).write_all(b"d").is_ok() {
            // An error means that the thread has ended: there is nothing to wait for.
            let _ = done.recv_timeout(2 * DRAIN_LIMIT);
        }
    }

    /// Watches a directory: itself and its entries.
    pub(in crate::watch) fn watch(&mut self, directory: &Path) -> Result<(), Refusal> {
        let mut watches = lock(&self.shared.watches);
        match inotify::add_watch(&self.shared.inotify, directory, EVENTS) {
            Ok(descriptor) => {
                watches.enter(descriptor, directory);
                Ok(())
            }
            // inotify_add_watch(2): not space on a disk, but max_user_watches.
            Err(Errno::NOSPC) => Err(Refusal::Limit),
            Err(error) => Err(Refusal::Other(error.into())),
        }
    }

    /// Watches a directory for what happens to its direct entries only.
    pub(in crate::watch) fn watch_flat(&mut self, directory: &Path) -> Result<(), Refusal> {
        self.watch(directory)
    }

    /// Ends the watch that was made by this path, where there is one.
    pub(in crate::watch) fn unwatch(&mut self, directory: &Path) {
        let mut watches = lock(&self.shared.watches);
        if let Some(descriptor) = watches.descriptors.get(directory).copied() {
            self.shared.end(&mut watches, descriptor);
        }
    }
}

/// Whether the system reports anything at all of a directory: opening it is an event, which nobody else
/// asked for and which changes nothing. None if that cannot be tried.
pub(in crate::watch) fn reports_access(directory: &Path) -> Option<bool> {
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
    inotify::add_watch(&inotify, directory, WatchFlags::OPEN).ok()?;
    drop(std::fs::File::open(directory).ok()?);
    // inotify(7): the event is in the queue before open(2) returns.
    let mut buffer = [MaybeUninit::uninit(); 1024];
    match Reader::new(&inotify, &mut buffer).next() {
        Ok(_) => Some(true),
        Err(Errno::AGAIN) => Some(false),
        Err(_) => None,
    }
}

impl Shared {
    /// Reads events until the other end of the pipe is gone.
    fn listen(
        &self,
        mut woken: &PipeReader,
        mut handler: impl FnMut(NativeEvent) -> Option<Instant>,
    ) {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut due = None::<Instant>;
        loop {
            let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            let mut sources = [
                PollFd::new(&self.inotify, PollFlags::IN),
                PollFd::new(woken, PollFlags::IN),
            ];
            match poll(&mut sources, timeout.as_ref()) {
                Ok(0) => {
                    due = handler(NativeEvent::Quiet);
                    continue;
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    handler(NativeEvent::Failed(error.into()));
                    lock(&self.draining).clear();
                    return;
                }
            }
            let is_woken = !sources[1].revents().is_empty();
            let has_events = !sources[0].revents().is_empty();
            let mut draining = Vec::new();
            if is_woken {
                if woken.read(&mut [0; 64]).is_ok_and(|n_read| n_read == 0) {
                    lock(&self.draining).clear();
                    return;
                }
                draining = std::mem::take(&mut *lock(&self.draining));
            } else if !has_events {
                continue;
            }
            let began = Instant::now();
            // A write whose close is the next event needs no look of its own.
            let mut written = None::<PathBuf>;
            loop {
                match reader.next() {
                    Ok(event) => {
                        let report = self.report(&event);
                        let is_closed = matches!(&report, Some(NativeEvent::Path(path, RawEvent::Closed)) if written.as_ref() == Some(path));
                        if let Some(path) = written.take()
                            && !is_closed
                        {
                            due = handler(NativeEvent::Path(path, RawEvent::Written));
                        }
                        match report {
                            Some(NativeEvent::Path(path, RawEvent::Written)) => {
                                written = Some(path)
                            }
                            Some(report) => due = handler(report),
                            None => {}
                        }
                    }
                    Err(Errno::AGAIN | Errno::INTR) => break,
                    Err(error) => {
                        due = handler(NativeEvent::Failed(error.into()));
                        break;
                    }
                }
                // What has come since is waited for like anything else. To drain the queue, it is read up to
                // its end, or for as long as what was in it can take: somebody may write without a pause.
                let drains = !draining.is_empty() && began.elapsed() < DRAIN_LIMIT;
                if reader.is_buffer_empty() && !drains {
                    break;
                }
            }
            if let Some(path) = written {
                due = handler(NativeEvent::Path(path, RawEvent::Written));
            }
            draining.iter().for_each(|drained| {
                // Whoever waited may have gone.
                let _ = drained.send(());
            });
        }
    }

    /// What an event means, if it means anything to us.
    fn report(&self, event: &Event<'_>) -> Option<NativeEvent> {
        let is = |flag| event.events().contains(flag);
        if is(ReadFlags::QUEUE_OVERFLOW) {
            return Some(NativeEvent::Lost);
        }
        let mut watches = lock(&self.watches);
        if is(ReadFlags::IGNORED) {
            watches.forget(event.wd());
            return None;
        }
        let directory = watches.paths.get(&event.wd())?;
        let path = match event.file_name() {
            Some(name) => {
                let name = OsStr::from_bytes(name.to_bytes());
                // `join` would allocate twice.
                let mut path = PathBuf::with_capacity(directory.as_os_str().len() + 1 + name.len());
                path.push(directory);
                path.push(name);
                path
            }
            None => directory.to_path_buf(),
        };
        let raw_event = if is(ReadFlags::CLOSE_WRITE) {
            RawEvent::Closed
        } else if is(ReadFlags::MODIFY) {
            RawEvent::Written
        } else if is(ReadFlags::ATTRIB) {
            RawEvent::Attributes
        } else if is(ReadFlags::CREATE) {
            RawEvent::Created
        } else if is(ReadFlags::MOVED_TO) {
            RawEvent::MovedIn
        } else if is(ReadFlags::MOVED_FROM) {
            if is(ReadFlags::ISDIR) {
                self.end_below(&mut watches, &path);
            }
            RawEvent::Removed
        } else if is(ReadFlags::DELETE) || is(ReadFlags::DELETE_SELF) || is(ReadFlags::MOVE_SELF) {
            RawEvent::Removed
        } else {
            return None;
        };
        Some(NativeEvent::Path(path, raw_event))
    }

    /// Ends all watches by this path and by paths below it.
    fn end_below(&self, watches: &mut Watches, path: &Path) {
        let from_path = (Bound::Included(path), Bound::Unbounded);
        let below: Vec<i32> = watches
            .descriptors
            .range::<Path, _>(from_path)
            .take_while(|(other, _)| other.starts_with(path))
            .map(|(_, descriptor)| *descriptor)
            .collect();
        for descriptor in below {
            self.end(watches, descriptor);
        }
    }

    fn end(&self, watches: &mut Watches, descriptor: i32) {
        watches.forget(descriptor);
        // It may have ended by itself: then its last event is still to be read.
        let _ = inotify::remove_watch(&self.inotify, descriptor);
    }
}

impl Watches {
    fn enter(&mut self, descriptor: i32, path: &Path) {
        let path: Arc<Path> = path.into();
        self.paths.insert(descriptor, Arc::clone(&path));
        self.descriptors.insert(path, descriptor);
    }

    fn forget(&mut self, descriptor: i32) {
        if let Some(path) = self.paths.remove(&descriptor)
            && self.descriptors.get(&path) == Some(&descriptor)
        {
            self.descriptors.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc::Receiver;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn start() -> (Native, Receiver<NativeEvent>) {
        let (send, reports) = channel();
        let native = Native::start(move |report| {
            let _ = send.send(report);
            None
        });
        (native.unwrap(), reports)
    }

    #[test]
    fn the_handler_is_called_again_at_the_time_that_it_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (send, reports) = channel();
        let mut native = Native::start(move |report| {
            let asked = matches!(report, NativeEvent::Path(..));
            let _ = send.send(report);
            asked.then(Instant::now)
        })
        .unwrap();
        native.watch(dir.path()).ok().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let next = || reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(next(), NativeEvent::Path(_, RawEvent::Created)));
        assert!(matches!(next(), NativeEvent::Quiet));
        // Once: it did not ask again.
        fs::create_dir(dir.path().join("b")).unwrap();
        assert!(matches!(next(), NativeEvent::Path(_, RawEvent::Created)));
    }

    /// Reports up to that of the closing of this file.
    fn until_closed(reports: &Receiver<NativeEvent>, path: &Path) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match reports.recv_timeout(PATIENCE).unwrap() {
                NativeEvent::Path(of, RawEvent::Closed) if of == path => return told,
                NativeEvent::Path(of, raw_event) => {
                    told.push(format!(
                        "{} {raw_event:?}",
                        of.file_name().unwrap().display()
                    ));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_is_read_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "a").unwrap();
        let inotify = inotify::init(CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&inotify, dir.path(), EVENTS).unwrap();
        fs::read(dir.path().join("a")).unwrap();
        fs::read_dir(dir.path()).unwrap().for_each(drop);
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let event = Reader::new(&inotify, &mut buffer).next().map(|_| ());
        assert_eq!(event, Err(Errno::AGAIN));
    }

    #[test]
    fn that_something_is_reported_is_found_without_changing_anything() {
        let dir = tempfile::tempdir().unwrap();
        let before = fs::metadata(dir.path()).unwrap();
        assert_eq!(reports_access(dir.path()), Some(true));
        let after = fs::metadata(dir.path()).unwrap();
        assert_eq!(before.modified().unwrap(), after.modified().unwrap());
        assert_eq!(reports_access(&dir.path().join("nothing")), None);
    }

    #[test]
    fn a_directory_that_was_moved_away_is_no_longer_told_by_its_old_name() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, away) = (dir.path().join("inside"), dir.path().join("away"));
        fs::create_dir_all(inside.join("sub/deep")).unwrap();
        fs::create_dir(&away).unwrap();
        let (mut native, reports) = start();
        native.watch(&inside).unwrap();
        native.watch(&inside.join("sub")).unwrap();
        native.watch(&inside.join("sub/deep")).unwrap();
        fs::rename(inside.join("sub"), away.join("sub")).unwrap();
        fs::write(inside.join("sentinel"), "").unwrap();
        until_closed(&reports, &inside.join("sentinel"));
        fs::write(away.join("sub/file"), "").unwrap();
        fs::write(away.join("sub/deep/file"), "").unwrap();
        // Another one, by the old name, is told again once it is watched.
        fs::create_dir(inside.join("sub")).unwrap();
        native.watch(&inside.join("sub")).unwrap();
        fs::write(inside.join("sub/sentinel"), "").unwrap();
        let told = until_closed(&reports, &inside.join("sub/sentinel"));
        assert_eq!(told, ["sub Created", "sentinel Created"]);
    }

    #[test]
    fn a_write_and_its_close_are_one_report() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "one").unwrap();
        let (send, reports) = channel();
        let (go_on, may_go_on) = channel::<()>();
        let mut native = Native::start(move |report| {
            let _ = send.send(report);
            let _ = may_go_on.recv();
            None
        })
        .unwrap();
        native.watch(dir.path()).ok().unwrap();
        let next = || reports.recv_timeout(PATIENCE).unwrap();
        // While the handler is busy, both come.
        fs::create_dir(dir.path().join("b")).unwrap();
        assert!(matches!(next(), NativeEvent::Path(_, RawEvent::Created)));
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        io::Write::write_all(&mut file, b"two").unwrap();
        drop(file);
        drop(go_on);
        assert!(matches!(next(), NativeEvent::Path(of, RawEvent::Closed) if of == path));
    }

    #[test]
    fn the_thread_ends_with_its_watches() {
        let dir = tempfile::tempdir().unwrap();
        let (mut native, reports) = start();
        native.watch(dir.path()).unwrap();
        drop(native);
        // The handler is dropped with its thread.
        assert!(
            reports
                .recv_timeout(PATIENCE)
                .is_err_and(|error| { error == std::sync::mpsc::RecvTimeoutError::Disconnected })
        );
    }
}
