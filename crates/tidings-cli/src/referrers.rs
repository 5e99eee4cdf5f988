//! Who asked for what: the users of a file that a page cannot see by itself.
//!
//! A page sees what it and the frames of its origin load. It does not see what a worker imports or
//! fetches, nor what a sandboxed frame loads. The server saw those requests: each carries the address
//! of who made it (`Referer`) and what for (`Sec-Fetch-Dest`). This is the graph of them, so that a
//! changed file is published together with the workers and the pages that use it.
//!
//! What must stay true:
//!
//! - A request is recorded before its file is opened, so a change after that finds it.
//! - A request like one before costs a hash and a read lock, and no allocation.
//! - What the page sees by itself is not recorded: it knows better whether that is still in use.
//! - Where something is not known or was too much to be kept, every page is concerned. A page may
//!   reload once too often, but it never stays stale.

mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::request::Parts;
use percent_encoding::percent_decode_str;
use tidings::reload::{ANYONE, OPAQUE_ORIGIN};

use request::{Purpose, Requester, ResourceRequest};

/// Requests that are remembered. A large site with workers has some hundred different ones.
const MAX_REQUESTS: usize = 16_384;
/// The length of all remembered paths together.
const MAX_PATH_BYTES: usize = 4 << 20;
/// Users that are told one by one; of more, it is said that anyone may be one.
const MAX_USERS: usize = 32;
/// How many files are looked through for the users of one.
const MAX_VISITED: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Referrers {
    hasher: RandomState,
    // Written once for each request that is unlike all before; nothing else is done under it.
    graph: RwLock<Graph>,
}

#[derive(Debug, Default)]
struct Graph {
    /// The hashes of all requests that have been seen.
    seen: HashSet<u64>,
    /// What was asked for, by its decoded path.
    files: HashMap<String, File>,
    path_bytes: usize,
    /// There were more requests than are kept.
    full: bool,
}

#[derive(Debug, Default)]
struct File {
    /// It was shown as a page, which carries the script.
    is_page: bool,
    /// A worker was started from it, or imported it.
    is_worker: bool,
    /// Decoded paths of those who asked for it.
    requesters: BTreeSet<String>,
    /// Somebody who did not say who he is.
    anyone: bool,
    /// Somebody of an opaque origin.
    opaque: bool,
}

impl File {
    fn has_no_requesters(&self) -> bool {
        self.requesters.is_empty() && !self.anyone && !self.opaque
    }
}

impl Referrers {
    /// Remembers a request that will be answered.
    pub(crate) fn record(&self, parts: &Parts) {
        let Some(request) = ResourceRequest::of(parts) else {
            return;
        };
        let hash = self.hasher.hash_one(request);
        if self.read().seen.contains(&hash) {
            return;
        }
        self.write().insert(hash, request);
    }

    /// The users of a changed file that a page may not know of. `path` is decoded; of a directory
    /// that was removed, `below` is set, and the users of all that was in it are meant.
    pub(crate) fn users_of(&self, path: &str, below: bool) -> Vec<String> {
        let graph = self.read();
        let mut visit = addresses_of(path);
        if below {
            let inside = |other: &&String| {
                let rest = other.strip_prefix(path);
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            visit.extend(graph.files.keys().filter(inside).cloned());
        }
        graph.users_of(visit).into_iter().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Graph> {
        self.graph.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graph {
    fn insert(&mut self, hash: u64, request: ResourceRequest<'_>) {
        if self.full {
            return;
        }
        self.seen.insert(hash);
        let path = decoded(request.path);
        let requester = match request.requester {
            Requester::Path(path) => Some(decoded(path)),
            Requester::Unknown | Requester::Opaque | Requester::Untracked => None,
        };
        self.path_bytes += path.len() + requester.as_ref().map_or(0, String::len);
        if self.seen.len() > MAX_REQUESTS || self.path_bytes > MAX_PATH_BYTES {
            *self = Graph {
                full: true,
                ..Graph::default()
            };
            return;
        }
        let known = requester.as_ref().and_then(|path| self.files.get(path));
        let by_page = known.is_some_and(|file| file.is_page);
        let by_stranger = requester.is_some() && known.is_none();
        let file = self.files.entry(path).or_default();
        match request.purpose {
            Purpose::Page => file.is_page = true,
            // The page sees it.
            Purpose::Script if by_page => return,
            Purpose::Script | Purpose::Other => {}
            Purpose::Worker => {
                file.is_worker = true;
                // A page whose address a script has changed since.
                file.anyone |= by_stranger;
            }
            // Other pages may use the one that is running, and ask for nothing.
            Purpose::SharedWorker => {
                file.is_worker = true;
                file.anyone = true;
            }
        }
        match request.requester {
            Requester::Path(_) => file.requesters.extend(requester),
            Requester::Unknown => file.anyone = true,
            Requester::Opaque => file.opaque = true,
            Requester::Untracked => {}
        }
    }

    fn users_of(&self, mut visit: Vec<String>) -> BTreeSet<String> {
        let anyone = || BTreeSet::from([ANYONE.to_owned()]);
        let mut users = BTreeSet::new();
        let mut visited: HashSet<String> = visit.iter().cloned().collect();
        if self.full {
            return anyone();
        }
        while let Some(path) = visit.pop() {
            let Some(file) = self.files.get(&path) else {
                continue;
            };
            if file.opaque {
                users.insert(OPAQUE_ORIGIN.to_owned());
            }
            for requester in &file.requesters {
                if !visited.insert(requester.clone()) {
                    continue;
                }
                let by = self.files.get(requester);
                // What is between, a module that imports another, is no user of its own.
                if by.is_none_or(|by| by.is_page || by.is_worker || by.has_no_requesters()) {
                    users.insert(requester.clone());
                }
                // A page listens for itself: who shows it in a frame is not concerned.
                if by.is_some_and(|by| !by.is_page) {
                    visit.push(requester.clone());
                }
            }
            if file.anyone || users.len() > MAX_USERS || visited.len() > MAX_VISITED {
                return anyone();
            }
        }
        users
    }
}

/// Under which addresses a file may have been asked for.
fn addresses_of(path: &str) -> Vec<String> {
    let mut addresses = vec![path.to_owned()];
    for end in [".html", ".htm"] {
        addresses.extend(path.strip_suffix(end).map(str::to_owned));
        let folder = path.strip_suffix(end).and_then(|p| p.strip_suffix("index"));
        addresses.extend(folder.map(str::to_owned));
    }
    addresses
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
