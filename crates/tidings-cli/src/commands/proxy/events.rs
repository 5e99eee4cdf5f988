//! What the console says about the backend.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::backend::{Event, Exit, Source, Stream};
use crate::report::{Console, Message, Styles, printable, shown};

/// How many of the last lines `--quiet` prints, which does not print them as they come.
const QUIET_LINES: usize = 20;

/// Prints an event.
pub(super) fn report(console: &Console, event: Event, base: &Path) {
    let told = Told { event, base };
    match told.importance() {
        Importance::Detail => console.detail(told.name(), &told),
        Importance::News => console.event(told.name(), &told),
        Importance::Trouble => console.banner(told.name(), &told),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Importance {
    /// For programs.
    Detail,
    News,
    /// Also with `--quiet`.
    Trouble,
}

struct Told<'a> {
    event: Event,
    /// Paths below it are shown relative to it.
    base: &'a Path,
}

impl Told<'_> {
    fn name(&self) -> &'static str {
        match self.event {
            Event::Building { .. } => "building",
            Event::Built { .. } => "built",
            Event::BuildFailed { .. } => "build_failed",
            Event::Starting { .. } => "starting",
            Event::TimedOut { .. } => "start_timeout",
            Event::Healthy { .. } => "healthy",
            Event::Switched { .. } => "switched",
            Event::Draining { .. } => "draining",
            Event::Exited { .. } => "exited",
            Event::Retrying { .. } => "retrying",
            Event::Loop { .. } => "build_loop",
            Event::Output { .. } => "output",
        }
    }

    fn importance(&self) -> Importance {
        match self.event {
            Event::Built { .. } | Event::Healthy { .. } | Event::Draining { .. } => {
                Importance::Detail
            }
            Event::Exited { expected: true, .. } => Importance::Detail,
            Event::Building { .. }
            | Event::Starting { .. }
            | Event::Switched { .. }
            | Event::Retrying { .. }
            | Event::Output { .. } => Importance::News,
            Event::BuildFailed { .. }
            | Event::TimedOut { .. }
            | Event::Exited { .. }
            | Event::Loop { .. } => Importance::Trouble,
        }
    }

    fn fields(&self) -> Value {
        let paths = |paths: &[PathBuf]| -> Vec<_> {
            let below = paths.iter().map(|path| self.below(path));
            below.map(|path| path.display().to_string()).collect()
        };
        match &self.event {
            Event::Building { paths: changed } => json!({"paths": paths(changed)}),
            Event::Built { took } => json!({"ms": ms(*took)}),
            Event::BuildFailed { exit, took, lines } => json!({
                "code": exit.code(),
                "signal": exit.signal(),
                "error": error(exit),
                "ms": ms(*took),
                "lines": lines,
            }),
            Event::Starting {
                generation,
                port,
                paths: changed,
            } => json!({"generation": generation, "port": port, "paths": paths(changed)}),
            Event::TimedOut { generation, after } => {
                json!({"generation": generation, "ms": ms(*after)})
            }
            Event::Healthy { generation, took } => {
                json!({"generation": generation, "ms": ms(*took)})
            }
            Event::Switched {
                generation,
                previous,
                took,
            } => json!({"generation": generation, "previous": previous, "ms": ms(*took)}),
            Event::Draining {
                generation,
                in_flight,
            } => json!({"generation": generation, "in_flight": in_flight}),
            Event::Exited {
                generation,
                exit,
                expected,
                was_healthy,
                uptime,
                lines,
            } => json!({
                "generation": generation,
                "code": exit.code(),
                "signal": exit.signal(),
                "error": error(exit),
                "expected": expected,
                "was_healthy": was_healthy,
                "ms": ms(*uptime),
                "lines": lines,
            }),
            Event::Retrying { pause } => json!({"ms": ms(*pause)}),
            Event::Loop { path } => json!({"path": self.below(path).display().to_string()}),
            Event::Output { from, stream, line } => json!({
                "from": match from {
                    Source::Build => "build",
                    Source::Backend(_) => "backend",
                },
                "generation": match from {
                    Source::Build => None,
                    Source::Backend(generation) => Some(generation),
                },
                "stream": match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                },
                "line": line,
            }),
        }
    }

    fn below<'a>(&self, path: &'a Path) -> &'a Path {
        match path.strip_prefix(self.base) {
            Ok(below) if below.as_os_str().is_empty() => Path::new("."),
            Ok(below) => below,
            Err(_) => path,
        }
    }

    /// `a.py`, or `a.py and 3 more`.
    fn names(&self, paths: &[PathBuf]) -> Option<String> {
        let first = self.below(paths.first()?).display().to_string();
        let first = printable(&first);
        Some(match paths.len() - 1 {
            0 => first.into_owned(),
            more => format!("{first} and {more} more"),
        })
    }

    /// `a.py -> what follows from it`.
    fn because(&self, paths: &[PathBuf], what: &str, styles: Styles) -> String {
        match self.names(paths) {
            Some(names) => format!(
                "{} {}",
                styles.bold(&names),
                styles.dim(&format!("-> {what}"))
            ),
            None => styles.dim(what),
        }
    }
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = self.fields();
        fields["time"] = Value::from(now_ms());
        fields.serialize(serializer)
    }
}

impl Message for Told<'_> {
    fn text(&self, styles: Styles) -> String {
        match &self.event {
            Event::Building { paths } => self.because(paths, "building", styles),
            Event::BuildFailed { exit, took, .. } => {
                format!("the build {exit} after {}", duration(*took))
            }
            Event::Starting { port, paths, .. } => {
                let port = port.map(|port| format!(" on port {port}"));
                let what = format!("starting the backend{}", port.unwrap_or_default());
                self.because(paths, &what, styles)
            }
            Event::Switched { took, .. } => {
                styles.dim(&format!("the backend answers after {}", duration(*took)))
            }
            Event::TimedOut { after, .. } => format!(
                "the backend is not ready after {}: it must listen on the port in the variable PORT, or on the one that replaces {{port}} in its arguments",
                duration(*after)
            ),
            Event::Exited {
                exit, was_healthy, ..
            } => {
                let before = if *was_healthy {
                    ""
                } else {
                    " before it was ready"
                };
                format!("the backend {exit}{before}")
            }
            Event::Retrying { pause } => {
                styles.dim(&format!("starting it again in {}", duration(*pause)))
            }
            Event::Loop { path } => {
                let path = self.below(path).display().to_string();
                let path = printable(&path);
                format!(
                    "{path} has changed during each of the last builds: not building again until the next save; if the build writes it, leave it out with --ignore"
                )
            }
            Event::Output { from, stream, line } => {
                let from = match from {
                    Source::Build => "build  ",
                    Source::Backend(_) => "backend",
                };
                let mark = match stream {
                    Stream::Stdout => "|",
                    Stream::Stderr => "!",
                };
                let mark = styles.dim(&format!("{from} {mark}"));
                format!("{mark} {}", shown(line, styles))
            }
            // Not printed.
            Event::Built { .. } | Event::Healthy { .. } | Event::Draining { .. } => String::new(),
        }
    }

    fn quiet_text(&self, styles: Styles) -> String {
        let mut text = self.text(styles);
        if let Event::BuildFailed { lines, .. } | Event::Exited { lines, .. } = &self.event {
            for line in &lines[lines.len().saturating_sub(QUIET_LINES)..] {
                text.push('\n');
                text.push_str(&shown(line, styles));
            }
        }
        text
    }
}

fn error(exit: &Exit) -> Option<&str> {
    match exit {
        Exit::NotRun(why) => Some(why),
        _ => None,
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, ms)
}

/// `320 ms` or `2.4 s`.
fn duration(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        _ if time.subsec_millis() < 50 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(event: Event) -> String {
        let base = Path::new("/app");
        Told { event, base }.text(Styles::for_tests(false))
    }

    #[test]
    fn what_is_said_is_one_line_each() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        for (event, expected) in [
            (
                Event::Building {
                    paths: paths(&["/app/src/a.rs", "/app/b", "/c"]),
                },
                "src/a.rs and 2 more -> building",
            ),
            (Event::Building { paths: paths(&[]) }, "building"),
            (
                Event::BuildFailed {
                    exit: Exit::Code(101),
                    took: Duration::from_millis(2345),
                    lines: vec![],
                },
                "the build exited with code 101 after 2.3 s",
            ),
            (
                Event::Starting {
                    generation: 2,
                    port: Some(20_001),
                    paths: paths(&["/app/a\nb.py"]),
                },
                "a\\nb.py -> starting the backend on port 20001",
            ),
            (
                Event::Exited {
                    generation: 1,
                    exit: Exit::Signal(9),
                    expected: false,
                    was_healthy: false,
                    uptime: Duration::ZERO,
                    lines: vec![],
                },
                "the backend was ended by SIGKILL before it was ready",
            ),
            (
                Event::Retrying {
                    pause: Duration::from_secs(2),
                },
                "starting it again in 2 s",
            ),
            (
                Event::Output {
                    from: Source::Build,
                    stream: Stream::Stderr,
                    line: "\x1b[2Jerror: x".to_owned(),
                },
                "build   ! error: x",
            ),
        ] {
            assert_eq!(text(event), expected);
        }
    }

    #[test]
    fn quiet_shows_the_last_lines_of_what_failed() {
        let lines: Vec<_> = (0..30).map(|n| n.to_string()).collect();
        let event = Event::BuildFailed {
            exit: Exit::Code(1),
            took: Duration::from_millis(10),
            lines,
        };
        let base = Path::new("/app");
        let quiet = Told { event, base }.quiet_text(Styles::for_tests(false));
        let mut lines = quiet.lines();
        assert_eq!(
            lines.next(),
            Some("the build exited with code 1 after 10 ms")
        );
        assert_eq!(lines.next(), Some("10"));
        assert_eq!(lines.last(), Some("29"));
    }
}
