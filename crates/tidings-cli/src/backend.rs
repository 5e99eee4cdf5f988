//! Runs a command as the backend: builds it, starts it, waits until it answers, sends requests to it,
//! and replaces it after a change without a request that fails.
//!
//! ```text
//! change -> supervisor -> build -> start on a port of its own -> healthy? -> switch -> drain -> end
//! request -> lease (waits while there is no instance) -> response -> the lease is dropped
//! ```
//!
//! - `lifecycle` decides, without IO; `supervisor` does it.
//! - `process` runs one command, with a `guardian` process that ends it if we are killed.
//! - `lease` counts the requests of each instance.

mod event;
mod health;
mod lease;
mod lifecycle;
mod message;
mod output;
mod ports;
mod process;
mod reporter;
mod rounds;
mod signal;
mod supervisor;

#[cfg(unix)]
mod guardian;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

pub(crate) use event::{Event, Exit, Failure, FailureKind, Source, Stream};
pub(crate) use lease::Lease;
pub(crate) use lifecycle::Generation;
pub(crate) use signal::Signal;

use lease::Serving;
use message::Message;
use supervisor::Supervisor;

/// What to run, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The program and its arguments; `{port}` stands for the port.
    pub(crate) command: Vec<OsString>,
    /// The working directory.
    pub(crate) dir: PathBuf,
    /// What runs before each start.
    pub(crate) build: Option<Build>,
    pub(crate) listens: Listens,
    /// How long a start may take, and how long a request waits for an instance.
    pub(crate) start_timeout: Duration,
    pub(crate) stop_signal: Signal,
    /// How long the requests of an instance may go on after the switch, and how long it may take to end
    /// after the stop signal.
    pub(crate) stop_timeout: Duration,
}

/// What runs before each start.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// For the shell.
    pub(crate) command: String,
    /// The working directory.
    pub(crate) dir: PathBuf,
}

/// Where the command listens.
#[derive(Clone, Debug)]
pub(crate) enum Listens {
    /// Each instance on a free port of its own.
    AtFreePort,
    /// Always there: the old instance is ended before the new one is started.
    At {
        /// The URL, for messages.
        url: String,
        /// None for a Unix socket.
        port: Option<u16>,
    },
}

/// What the rest of the program does for the backend.
pub(crate) trait Handler: Send + Sync + 'static {
    /// What sends requests to one instance.
    type Client: Send + Sync + 'static;

    /// Makes the client of an instance, which listens on this port if it has one of its own.
    fn client(&self, port: Option<u16>) -> Self::Client;

    /// Whether something accepts connections there.
    fn is_listening(&self, client: &Self::Client) -> impl Future<Output = bool> + Send;

    /// Whether the instance is ready to answer requests. It is asked over and over.
    fn is_ready(&self, client: &Self::Client) -> impl Future<Output = bool> + Send;

    /// Prints what happens. It is called on a thread of its own, and may block.
    fn report(&self, event: Event);

    /// Shows in every page why there is no new instance, or none at all, until [`restarted`](Self::restarted).
    /// It must not block.
    fn failed(&self, failure: &Failure);

    /// Tells the pages that a new instance answers. Called once for each, unless no page can be waiting for
    /// it: not for the first one, if all requests have waited for it. It must not block.
    fn restarted(&self);
}

/// A command that is run as the backend.
pub(crate) struct Backend<C> {
    serving: Arc<watch::Sender<Serving<C>>>,
    messages: UnboundedSender<Message>,
    start_timeout: Duration,
    /// Whether some request was answered with a [`Failure`] since the last switch.
    refused: Arc<AtomicBool>,
}

impl<C: Send + Sync + 'static> Backend<C> {
    /// Prepares to run the command: requests wait. Must be called within a runtime.
    pub(crate) fn new<H: Handler<Client = C>>(options: Options, handler: &Arc<H>) -> Backend<C> {
        let (messages, inbox) = unbounded_channel();
        let backend = Backend {
            serving: Arc::new(watch::Sender::new(Serving::Wait)),
            messages,
            start_timeout: options.start_timeout,
            refused: Arc::default(),
        };
        tokio::spawn(Supervisor::new(options, Arc::clone(handler), &backend).run(inbox));
        backend
    }

    /// Runs the command for the first time.
    pub(crate) fn start(&self) {
        let _ = self.messages.send(Message::Start);
    }

    /// A place for one request: waits while an instance is on its way, up to the start timeout.
    ///
    /// # Errors
    /// What is wrong, if no instance is there or on its way.
    pub(crate) async fn lease(&self) -> Result<Lease<C>, Failure> {
        if let Serving::To(instance) = &*self.serving.borrow() {
            return Ok(instance.lease());
        }
        self.lease_within(self.start_timeout, None).await
    }

    /// The same for a request that could not be sent to an instance: it may just have died, which is not
    /// known yet. Gives it a moment to be replaced, and may return it again.
    pub(crate) async fn lease_again(&self, failed: Generation) -> Result<Lease<C>, Failure> {
        const MOMENT: Duration = Duration::from_millis(50);
        match self.lease_within(MOMENT, Some(failed)).await {
            Ok(lease) => Ok(lease),
            Err(_) => self.lease().await,
        }
    }

    async fn lease_within(
        &self,
        timeout: Duration,
        except: Option<Generation>,
    ) -> Result<Lease<C>, Failure> {
        let deadline = Instant::now() + timeout;
        let mut serving = self.serving.subscribe();
        loop {
            match &*serving.borrow_and_update() {
                Serving::To(instance) if except != Some(instance.generation) => {
                    return Ok(instance.lease());
                }
                Serving::Refuse(failure) if except.is_none() => {
                    self.refused.store(true, Ordering::Relaxed);
                    return Err((**failure).clone());
                }
                Serving::To(_) | Serving::Wait | Serving::Refuse(_) => {}
            }
            let changed = tokio::time::timeout_at(deadline, serving.changed()).await;
            if changed.is_err() {
                break;
            }
        }
        if except.is_none() {
            self.refused.store(true, Ordering::Relaxed);
        }
        Err(Failure {
            kind: FailureKind::NotReady,
            title: format!("The backend is not ready after {} s", timeout.as_secs()),
            text: "It is still being built or started.".to_owned(),
        })
    }

    /// Whether an instance answers requests now.
    pub(crate) fn is_healthy(&self) -> bool {
        matches!(&*self.serving.borrow(), Serving::To(_))
    }

    /// Builds and starts the command again, because these paths changed.
    pub(crate) fn restart_because(&self, paths: Vec<PathBuf>) {
        let _ = self.messages.send(Message::Changed(paths));
    }

    /// Waits until no build or start is under way, for the changes so far.
    pub(crate) async fn settled(&self) {
        let (settled, is_settled) = oneshot::channel();
        if self
            .messages
            .send(Message::TellWhenSettled(settled))
            .is_ok()
        {
            let _ = is_settled.await;
        }
    }

    /// Ends it, and waits until nothing is left of it: no longer than the stop timeout and some seconds.
    pub(crate) async fn stop(&self) {
        let (done, is_done) = oneshot::channel();
        if self.messages.send(Message::Stop(done)).is_ok() {
            let _ = is_done.await;
        }
    }

    /// Ends everything by KILL, while [`stop`](Self::stop) waits for it.
    pub(crate) fn kill(&self) {
        let _ = self.messages.send(Message::Kill);
    }
}

impl<C> fmt::Debug for Backend<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

/// Runs this process as a guardian, if it was started as one.
pub(crate) fn run_as_guardian() -> Option<std::process::ExitCode> {
    #[cfg(unix)]
    return guardian::run();
    #[cfg(not(unix))]
    return None;
}
