//! Does what [`Lifecycle`] decides: runs the build and the instances, and tells what happens.
//!
//! One task owns all of it. Everything else sends it messages.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::event::{Event, Exit, Failure, FailureKind, Source};
use super::health;
use super::lease::{Instance, Serving};
use super::lifecycle::{Action, Generation, Input, Lifecycle, Rules};
use super::message::{self, Message};
use super::process::{self, Notice, Process, Spec};
use super::reporter::Reporter;
use super::rounds::Change;
use super::{Backend, Handler, Listens, Options, ports};

/// How much longer than the stop timeout the end of everything may take.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// How long it is tried to reach another program on the port of the command.
const TAKEN_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct Supervisor<H: Handler> {
    options: Options,
    handler: Arc<H>,
    reporter: Reporter,
    lifecycle: Lifecycle,
    serving: Arc<watch::Sender<Serving<H::Client>>>,
    /// Whether some request was answered with a failure since the last switch.
    refused: Arc<AtomicBool>,
    own: UnboundedSender<Message>,
    instances: HashMap<Generation, Running<H::Client>>,
    build: Option<RunningBuild>,
    n_builds: u64,
    /// Builds that have left daemons behind.
    left_behind: HashMap<u64, Process>,
    /// The newest failure that is not mended.
    failure: Option<Failure>,
    /// The instance that requests went to last.
    previous: Option<Generation>,
    /// When the first change since the last switch came.
    changed_at: Option<Instant>,
    stop: Option<(Instant, oneshot::Sender<()>)>,
    /// Who waits until no build or start is under way.
    waiting: Vec<oneshot::Sender<()>>,
}

/// An instance of the command.
struct Running<C> {
    process: Process,
    /// The task that asks whether it is ready.
    probe: AbortHandle,
    started: Instant,
    /// Where it listens, for messages.
    address: String,
    instance: Arc<Instance<C>>,
    was_healthy: bool,
    told_to_end: bool,
    has_exited: bool,
}

struct RunningBuild {
    number: u64,
    process: Process,
    started: Instant,
    exit: Option<(Exit, Vec<String>, Duration)>,
}

impl<H: Handler> Supervisor<H> {
    pub(super) fn new(
        options: Options,
        handler: Arc<H>,
        backend: &Backend<H::Client>,
    ) -> Supervisor<H> {
        let lifecycle = Lifecycle::new(Rules {
            build: options.build.is_some(),
            fixed: matches!(options.listens, Listens::At { .. }),
            start_timeout: options.start_timeout,
            stop_timeout: options.stop_timeout,
        });
        let printer = Arc::clone(&handler);
        Supervisor {
            options,
            handler,
            reporter: Reporter::start(move |event| printer.report(event)),
            lifecycle,
            serving: Arc::clone(&backend.serving),
            refused: Arc::clone(&backend.refused),
            own: backend.messages.clone(),
            instances: HashMap::new(),
            build: None,
            n_builds: 0,
            left_behind: HashMap::new(),
            failure: None,
            previous: None,
            changed_at: None,
            stop: None,
            waiting: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            let due = [
                self.lifecycle.due(),
                self.stop.as_ref().map(|(deadline, _)| *deadline),
            ];
            let message = match due.into_iter().flatten().min() {
                None => messages.recv().await,
                Some(due) => match tokio::time::timeout_at(due.into(), messages.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.handle(Input::Tick).await;
                        if self.has_stopped() {
                            break;
                        }
                        continue;
                    }
                },
            };
            // The sender is held by this task itself.
            let Some(message) = message else { break };
            self.told(message).await;
            if self.has_stopped() {
                break;
            }
        }
        self.reporter.flush().await;
        if let Some((_, done)) = self.stop {
            let _ = done.send(());
        }
    }

    fn has_stopped(&self) -> bool {
        let Some((deadline, _)) = &self.stop else {
            return false;
        };
        let gone = self.lifecycle.is_over() && self.build.is_none();
        gone || Instant::now() >= *deadline
    }

    async fn told(&mut self, message: Message) {
        match message {
            Message::Start => self.handle(Input::Begin).await,
            Message::Changed(paths) => {
                self.changed_at.get_or_insert_with(Instant::now);
                let written = newest(&paths);
                self.handle(Input::Changed(Change { paths, written })).await;
            }
            Message::Healthy(generation) => self.healthy(generation).await,
            Message::Drained(generation) => self.handle(Input::Drained(generation)).await,
            Message::Instance(generation, notice) => self.instance_told(generation, notice).await,
            Message::Build(number, notice) => self.build_told(number, notice).await,
            Message::Stop(done) => {
                let deadline = Instant::now() + self.options.stop_timeout + STOP_MARGIN;
                self.stop = Some((deadline, done));
                self.failure = Some(Failure {
                    kind: FailureKind::Stopping,
                    title: "tidings is about to end".to_owned(),
                    text: String::new(),
                });
                self.handle(Input::Stop).await;
            }
            Message::TellWhenSettled(waiting) => {
                self.waiting.push(waiting);
                self.handle(Input::Tick).await;
            }
            Message::Kill => {
                let instances = self.instances.values().map(|running| &running.process);
                let build = self.build.iter().map(|build| &build.process);
                instances.chain(build).for_each(Process::kill);
            }
        }
    }

    async fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for action in self.lifecycle.handle(input, Instant::now()) {
                if let Some(input) = self.act(action).await {
                    inputs.push(input);
                }
            }
        }
        if self.lifecycle.is_settled() {
            message::tell_all(&mut self.waiting);
        }
    }

    /// Does one thing. Returns what came of it, if that is known at once.
    async fn act(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Build(paths) => return self.start_build(paths),
            Action::EndBuild => {
                if let Some(build) = &self.build {
                    build.process.end();
                }
            }
            Action::Start(generation, paths) => return self.start(generation, paths).await,
            Action::TimedOut(generation) => self.timed_out(generation),
            Action::Serve(generation) => self.serve(generation),
            Action::Wait => {
                self.serving.send_replace(Serving::Wait);
            }
            Action::Refuse => {
                let failure = self.failure.clone().unwrap_or_else(|| Failure {
                    kind: FailureKind::Exited,
                    title: "The backend has ended".to_owned(),
                    text: String::new(),
                });
                self.serving
                    .send_replace(Serving::Refuse(Arc::new(failure)));
            }
            Action::Drain(generation) => {
                if let Some(running) = self.instances.get(&generation) {
                    let in_flight = running.instance.drain();
                    self.reporter.event(Event::Draining {
                        generation,
                        in_flight,
                    });
                }
            }
            Action::End(generation) => {
                if let Some(running) = self.instances.get_mut(&generation) {
                    running.told_to_end = true;
                    running.probe.abort();
                    running.process.end();
                }
            }
            Action::Loop(path) => self.reporter.event(Event::Loop { path }),
            Action::Retry(pause) => self.reporter.event(Event::Retrying { pause }),
        }
        None
    }

    fn fail(&mut self, kind: FailureKind, title: String, text: String) {
        let failure = Failure { kind, title, text };
        self.handler.failed(&failure);
        self.failure = Some(failure);
    }

    fn start_build(&mut self, paths: Vec<PathBuf>) -> Option<Input> {
        let build = self.options.build.as_ref()?;
        self.n_builds += 1;
        let number = self.n_builds;
        self.reporter.event(Event::Building { paths });
        let spec = Spec {
            argv: process::shell(&build.command),
            dir: build.dir.clone(),
            environment: Vec::new(),
            stop_signal: self.options.stop_signal,
            stop_timeout: self.options.stop_timeout,
            keep_daemons: true,
            source: Source::Build,
        };
        let own = self.own.clone();
        let told = move |notice| drop(own.send(Message::Build(number, notice)));
        match process::spawn(spec, &self.reporter, told) {
            Ok(process) => {
                self.build = Some(RunningBuild {
                    number,
                    process,
                    started: Instant::now(),
                    exit: None,
                });
                None
            }
            Err(error) => {
                let exit = Exit::NotRun(error.to_string());
                let input = Input::BuildEnded { success: false };
                self.build_failed(exit, Vec::new(), Duration::ZERO);
                Some(input)
            }
        }
    }

    async fn build_told(&mut self, number: u64, notice: Notice) {
        let running = self.build.as_mut().filter(|build| build.number == number);
        match (notice, running) {
            (Notice::Exited(exit, lines), Some(build)) => {
                build.exit = Some((exit, lines, build.started.elapsed()));
            }
            // Only now: what it left in its group could still write.
            (Notice::Gone, Some(_)) => self.build_ended().await,
            (Notice::Closed, _) => {
                self.left_behind.remove(&number);
            }
            _ => {}
        }
    }

    async fn build_ended(&mut self) {
        let Some(build) = self.build.take() else {
            return;
        };
        let exit = build
            .exit
            .unwrap_or_else(|| (Exit::Unknown, Vec::new(), build.started.elapsed()));
        let (exit, lines, took) = exit;
        self.left_behind.insert(build.number, build.process);
        let success = exit.is_success();
        match success {
            _ if self.stop.is_some() => {}
            true => self.reporter.event(Event::Built { took }),
            false => self.build_failed(exit, lines, took),
        }
        self.handle(Input::BuildEnded { success }).await;
    }

    fn build_failed(&mut self, exit: Exit, lines: Vec<String>, took: Duration) {
        let title = format!("The build {exit}");
        self.fail(FailureKind::BuildFailed, title, lines.join("\n"));
        self.reporter
            .event(Event::BuildFailed { exit, took, lines });
    }

    async fn start(&mut self, generation: Generation, paths: Vec<PathBuf>) -> Option<Input> {
        let (port, address) = match &self.options.listens {
            Listens::At { url, port } => (Ok(*port), url.clone()),
            Listens::AtFreePort => match ports::free() {
                Ok(port) => (Ok(Some(port)), format!("port {port}")),
                Err(error) => (Err(error), String::new()),
            },
        };
        let port = match port {
            Ok(port) => port,
            Err(error) => {
                let title = format!("There is no free port: {error}");
                let exit = Exit::NotRun(title.clone());
                return Some(self.did_not_start(generation, exit, title, String::new()));
            }
        };
        self.reporter.event(Event::Starting {
            generation,
            port,
            paths,
        });
        let client = self.handler.client(port);
        if matches!(self.options.listens, Listens::At { .. }) {
            let listening = self.handler.is_listening(&client);
            let listening = tokio::time::timeout(TAKEN_TIMEOUT, listening).await;
            if listening == Ok(true) {
                let title = format!("Another program is listening at {address}");
                let hint = "End it first: the command is to listen there.".to_owned();
                let exit = Exit::NotRun(title.clone());
                return Some(self.did_not_start(generation, exit, title, hint));
            }
        }
        let own = self.own.clone();
        let told = move |notice| drop(own.send(Message::Instance(generation, notice)));
        let process = match process::spawn(self.spec(generation, port), &self.reporter, told) {
            Ok(process) => process,
            Err(error) => {
                let exit = Exit::NotRun(error.to_string());
                let title = format!("The backend {exit}");
                return Some(self.did_not_start(generation, exit, title, String::new()));
            }
        };
        let own = self.own.clone();
        let drained = Box::new(move || drop(own.send(Message::Drained(generation))));
        let instance = Arc::new(Instance::new(generation, client, drained));
        let running = Running {
            process,
            probe: self.probe(&instance),
            started: Instant::now(),
            address,
            instance,
            was_healthy: false,
            told_to_end: false,
            has_exited: false,
        };
        self.instances.insert(generation, running);
        None
    }

    /// Asks an instance whether it is ready, until it is.
    fn probe(&self, instance: &Arc<Instance<H::Client>>) -> AbortHandle {
        let (own, handler) = (self.own.clone(), Arc::clone(&self.handler));
        let instance = Arc::clone(instance);
        let probe = async move {
            health::until_ready(|| handler.is_ready(&instance.client)).await;
            let _ = own.send(Message::Healthy(instance.generation));
        };
        tokio::spawn(probe).abort_handle()
    }

    fn spec(&self, generation: Generation, port: Option<u16>) -> Spec {
        let mut environment = Vec::new();
        let mut argv = self.options.command.clone();
        if let Some(port) = port {
            environment.push(("PORT", port.to_string().into()));
            argv = argv.iter().map(|word| with_port(word, port)).collect();
        }
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // Python holds back output that does not go to a terminal.
            environment.push(("PYTHONUNBUFFERED", "1".into()));
        }
        Spec {
            argv,
            dir: self.options.dir.clone(),
            environment,
            stop_signal: self.options.stop_signal,
            stop_timeout: self.options.stop_timeout,
            keep_daemons: false,
            source: Source::Backend(generation),
        }
    }

    fn did_not_start(
        &mut self,
        generation: Generation,
        exit: Exit,
        title: String,
        hint: String,
    ) -> Input {
        self.fail(FailureKind::Exited, title, hint);
        self.reporter.event(Event::Exited {
            generation,
            exit,
            expected: false,
            was_healthy: false,
            uptime: Duration::ZERO,
            lines: Vec::new(),
        });
        // Nothing is left of it.
        let _ = self.own.send(Message::Instance(generation, Notice::Gone));
        Input::Exited {
            generation,
            port_taken: false,
        }
    }

    fn timed_out(&mut self, generation: Generation) {
        let after = self.options.start_timeout;
        let Some(running) = self.instances.get(&generation) else {
            return;
        };
        let (address, after_s) = (&running.address, after.as_secs());
        let title = format!("The backend is not ready on {address} after {after_s} s");
        let hint = match self.options.listens {
            Listens::AtFreePort => {
                "It must listen on the port in the variable PORT, or on the one that replaces {port} in its arguments."
            }
            Listens::At { .. } => "It must listen at the URL that tidings was given.",
        };
        self.fail(FailureKind::NotReady, title, hint.to_owned());
        self.reporter.event(Event::TimedOut { generation, after });
    }

    async fn healthy(&mut self, generation: Generation) {
        let Some(running) = self.instances.get_mut(&generation) else {
            return;
        };
        if running.has_exited || running.told_to_end {
            return;
        }
        running.was_healthy = true;
        let took = running.started.elapsed();
        self.reporter.event(Event::Healthy { generation, took });
        self.handle(Input::Healthy(generation)).await;
    }

    fn serve(&mut self, generation: Generation) {
        let Some(running) = self.instances.get(&generation) else {
            return;
        };
        let instance = Arc::clone(&running.instance);
        self.serving.send_replace(Serving::To(instance));
        let since = self.changed_at.take().unwrap_or(running.started);
        let previous = self.previous.replace(generation);
        self.reporter.event(Event::Switched {
            generation,
            previous,
            took: since.elapsed(),
        });
        let had_failed = self.failure.take().is_some();
        let was_refused = self.refused.swap(false, Ordering::Relaxed);
        if previous.is_some() || had_failed || was_refused {
            self.handler.restarted();
        }
    }

    async fn instance_told(&mut self, generation: Generation, notice: Notice) {
        match notice {
            Notice::Exited(exit, lines) => self.exited(generation, exit, lines).await,
            Notice::Gone => {
                self.instances.remove(&generation);
                self.handle(Input::Gone(generation)).await;
            }
            Notice::Closed => {}
        }
    }

    async fn exited(&mut self, generation: Generation, exit: Exit, lines: Vec<String>) {
        let Some(running) = self.instances.get_mut(&generation) else {
            return;
        };
        running.has_exited = true;
        running.probe.abort();
        let was_healthy = running.was_healthy;
        let expected = running.told_to_end;
        let uptime = running.started.elapsed();
        let port_taken = !was_healthy && lines.iter().any(|line| says_port_taken(line));
        if !expected {
            let before = if was_healthy {
                ""
            } else {
                " before it was ready"
            };
            let title = format!("The backend {exit}{before}");
            let text = lines.join("\n");
            match was_healthy {
                false => self.fail(FailureKind::Exited, title, text),
                // It is started again at once: only if that fails there is something to show.
                true if self.previous == Some(generation) => {
                    let kind = FailureKind::Exited;
                    self.failure.get_or_insert(Failure { kind, title, text });
                }
                // It was about to be ended.
                true => {}
            }
        }
        self.reporter.event(Event::Exited {
            generation,
            exit,
            expected,
            was_healthy,
            uptime,
            lines,
        });
        let input = Input::Exited {
            generation,
            port_taken,
        };
        self.handle(input).await;
    }
}

/// When the newest of these files was written.
fn newest(paths: &[PathBuf]) -> Option<Instant> {
    let times = paths.iter().filter_map(|path| {
        let meta = std::fs::symlink_metadata(path).ok()?;
        let age = meta.modified().ok()?.elapsed().unwrap_or_default();
        Instant::now().checked_sub(age)
    });
    times.max()
}

/// What programs say when another one listens on their port.
fn says_port_taken(line: &str) -> bool {
    let line = line.to_lowercase();
    ["already in use", "address in use", "eaddrinuse"]
        .iter()
        .any(|words| line.contains(words))
}

/// Puts the port in place of each `{port}`.
fn with_port(word: &std::ffi::OsStr, port: u16) -> std::ffi::OsString {
    match word.to_str() {
        Some(text) => text.replace("{port}", &port.to_string()).into(),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_put_where_the_arguments_name_it() {
        let word = |text: &str| with_port(text.as_ref(), 20_001);
        assert_eq!(word("127.0.0.1:{port}"), "127.0.0.1:20001");
        assert_eq!(word("{port}{port}"), "2000120001");
        assert_eq!(word("port"), "port");
    }

    #[test]
    fn a_port_that_is_taken_is_read_from_what_programs_say() {
        for line in [
            "OSError: [Errno 98] Address already in use",
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:20001",
            "bind: address already in use",
            "Error: Address in use (os error 98)",
            "Error: That port is already in use.",
        ] {
            assert!(says_port_taken(line), "{line}");
        }
        assert!(!says_port_taken("port 20001 is not available"));
    }
}
