//! `tidings init`: writes a `tidings.toml` that fits the folder. It asks nothing, runs nothing and never
//! overwrites a file.

mod generators;
mod go;
mod node;
mod php;
mod plan;
mod project;
mod python;
mod ruby;
mod rust;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;

use crate::config::file::NAME;
use crate::report::{Console, HintedError, Message, Styles, printable};
use plan::Plan;
use project::Project;

/// From the most specific to the most general: a Django project may have a package.json for its assets, and
/// a documentation folder besides.
const DETECTORS: [fn(&Project) -> Option<Plan>; 8] = [
    python::django,
    ruby::detect,
    php::laravel,
    rust::detect,
    go::detect,
    python::detect,
    node::detect,
    generators::detect,
];

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    file: &'static str,
    found: String,
    /// The command of the backend, if there is one.
    command: Option<String>,
    /// What has to be looked at.
    notes: Vec<String>,
}

pub(crate) fn run(console: &Console) -> anyhow::Result<()> {
    let plan = plan_for(&Project::new("."));
    write(Path::new(NAME), &plan.to_toml())?;
    console.banner(
        "initialized",
        &Written {
            file: NAME,
            command: plan.command(),
            found: plan.found,
            notes: plan.notes,
        },
    );
    Ok(())
}

fn plan_for(project: &Project) -> Plan {
    DETECTORS
        .iter()
        .find_map(|detect| detect(project))
        .or_else(|| php::detect(project))
        .unwrap_or_else(|| Plan::files(project))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = |why: String, hint: &str| HintedError {
        message: format!("cannot write {}: {why}", path.display()),
        hint: hint.to_owned(),
    };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let error = match error.kind() {
            ErrorKind::AlreadyExists => cannot(
                "the file exists already".to_owned(),
                "edit it, or remove it first; nothing was changed",
            ),
            _ => cannot(error.to_string(), "choose a folder that you may write to"),
        };
        error.into()
    })
}

impl Message for Written {
    fn text(&self, styles: Styles) -> String {
        let mut lines = vec![format!(
            "{} written for {}",
            styles.bold(self.file),
            printable(&self.found)
        )];
        let command = self.command.iter();
        lines.extend(command.map(|command| format!("it runs: {}", printable(command))));
        let notes = self.notes.iter();
        lines.extend(notes.map(|note| format!("note: {}", printable(note))));
        lines.push(format!("start it with: {}", styles.bold("tidings")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::{ConfigFile, Run};

    /// A folder with these files, and the settings that are written for it.
    #[track_caller]
    fn written_for(files: &[(&str, &str)]) -> (String, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let toml = plan_for(&Project::new(folder.path())).to_toml();
        let file = ConfigFile::of_text(&toml);
        (toml, file)
    }

    /// The command of the backend, as it would be typed.
    #[track_caller]
    fn check_command(files: &[(&str, &str)], expected: &str) -> (String, ConfigFile) {
        let (toml, file) = written_for(files);
        assert_eq!(file.settings.run, Some(Run::Proxy), "{toml}");
        let command = file.settings.proxy.command.clone().unwrap_or_default();
        assert_eq!(command.join(" "), expected, "{toml}");
        (toml, file)
    }

    fn list(paths: Option<Vec<std::path::PathBuf>>) -> String {
        let paths = paths.unwrap_or_default();
        let paths: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
        paths.join(" ")
    }

    #[test]
    fn django_is_run_without_its_own_reloader() {
        let (toml, file) = check_command(
            &[
                ("manage.py", ""),
                ("static/a.css", ""),
                ("package.json", "{}"),
            ],
            "python3 manage.py runserver {port} --noreload",
        );
        assert_eq!(list(file.settings.watch), "static", "{toml}");
        // Each request may write to it.
        let ignore = file.settings.ignore.unwrap();
        assert!(ignore.contains(&"*.sqlite3*".to_owned()), "{ignore:?}");
    }

    #[test]
    fn python_is_the_one_of_the_project() {
        for (file, expected) in [
            ("uv.lock", "uv run python"),
            ("poetry.lock", "poetry run python"),
            (".venv/bin/python", ".venv/bin/python"),
            ("README", "python3"),
        ] {
            let expected = format!("{expected} manage.py runserver {{port}} --noreload");
            check_command(&[("manage.py", ""), (file, "")], &expected);
        }
    }

    #[test]
    fn flask_is_run_with_its_debugger_and_live_templates() {
        let (toml, file) = check_command(
            &[
                ("requirements.txt", "Flask>=3\ngunicorn"),
                ("app.py", "app = Flask(__name__)"),
                ("templates/a.html", ""),
            ],
            "python3 -m flask --app app run --debug --no-reload --port {port}",
        );
        assert_eq!(list(file.settings.watch), "templates", "{toml}");
        check_command(
            &[
                ("pyproject.toml", "dependencies = [\n  \"flask\",\n]"),
                (
                    "shop/__init__.py",
                    "def create_app():\n    app = Flask(__name__)",
                ),
            ],
            "python3 -m flask --app shop run --debug --no-reload --port {port}",
        );
    }

    #[test]
    fn an_asgi_app_is_found_by_its_variable() {
        for (path, text, expected) in [
            (
                "main.py",
                "from fastapi import FastAPI\napi = FastAPI()\n",
                "main:api",
            ),
            (
                "app/main.py",
                "app: FastAPI = FastAPI(title='x')",
                "app.main:app",
            ),
            ("server.py", "\napp = Starlette(routes=[])", "server:app"),
            ("other.py", "", "main:app"),
        ] {
            check_command(
                &[
                    ("requirements.txt", "fastapi[standard]\nstarlette"),
                    (path, text),
                ],
                &format!("python3 -m uvicorn {expected} --port {{port}}"),
            );
        }
    }

    #[test]
    fn vite_reloads_by_itself() {
        let package = r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "^8"}}"#;
        let (toml, file) = check_command(
            &[("package.json", package), ("package-lock.json", "{}")],
            "npx vite --port {port} --strictPort",
        );
        assert_eq!(
            list(file.settings.proxy.restart),
            "package-lock.json",
            "{toml}"
        );
        assert_eq!(file.settings.watch, None, "{toml}");
        check_command(
            &[("package.json", package), ("pnpm-lock.yaml", "")],
            "pnpm exec vite --port {port} --strictPort",
        );
    }

    #[test]
    fn next_js_allows_one_server_per_folder_so_it_has_a_fixed_port() {
        let package = r#"{"dependencies": {"next": "15", "react": "19"}}"#;
        let (toml, file) = check_command(
            &[("package.json", package), ("yarn.lock", "")],
            "yarn next dev --port 3000",
        );
        assert!(file.settings.proxy.url.is_some(), "{toml}");
        assert_eq!(list(file.settings.proxy.restart), "yarn.lock", "{toml}");
    }

    #[test]
    fn a_node_server_is_run_by_its_start_script() {
        let package = r#"{"scripts": {"start": "node server.js", "dev": "nodemon server.js"},
            "dependencies": {"express": "5"}}"#;
        let (toml, file) = check_command(
            &[
                ("package.json", package),
                ("server.js", "app.listen(process.env.PORT || 3000)"),
                ("public/a.css", ""),
                ("views/a.ejs", ""),
            ],
            "node server.js",
        );
        assert_eq!(list(file.settings.watch), "public views", "{toml}");
        assert!(file.settings.proxy.url.is_none(), "{toml}");
    }

    #[test]
    fn a_server_with_a_port_of_its_own_keeps_it() {
        let package = r#"{"main": "index.js", "dependencies": {"express": "5"}}"#;
        let (toml, file) = check_command(
            &[
                ("package.json", package),
                ("index.js", "app.listen(4000, () => {})"),
            ],
            "node index.js",
        );
        let url = file.settings.proxy.url.unwrap();
        let url = url.target(Path::new("")).unwrap().to_string();
        assert!(url.contains("localhost:4000"), "{url}");
        assert!(toml.contains("PORT"), "{toml}");
    }

    #[test]
    fn a_rust_server_is_built_and_its_binary_run() {
        let manifest = "[package]\nname = \"shop-web\"\n[dependencies]\naxum = \"0.8\"\n";
        let (toml, file) = check_command(
            &[
                ("Cargo.toml", manifest),
                ("src/main.rs", "let port = env::var(\"PORT\");"),
                ("templates/a.html", ""),
            ],
            "target/debug/shop-web",
        );
        assert_eq!(file.settings.proxy.build.as_deref(), Some("cargo build"));
        assert_eq!(list(file.settings.watch), "templates", "{toml}");
        check_command(
            &[
                (
                    "Cargo.toml",
                    "[package]\nname = \"a\"\ndefault-run = \"web\"\n[dependencies.actix-web]\nversion = \"4\"",
                ),
                ("src/main.rs", ""),
            ],
            "target/debug/web",
        );
    }

    #[test]
    fn a_rust_library_with_a_book_is_a_book() {
        check_command(
            &[
                ("Cargo.toml", "[package]\nname = \"a\""),
                (
                    "book.toml",
                    "[book]\nsrc = \"text\"\n[build]\nbuild-dir = \"out\"",
                ),
            ],
            "python3 -m http.server {port} --bind 127.0.0.1 --directory out",
        );
    }

    #[test]
    fn a_go_server_is_built_out_of_sight_of_the_watcher() {
        let (toml, file) = check_command(
            &[
                ("go.mod", "module example.com/shop"),
                (
                    "main.go",
                    "package main\nimport \"net/http\"\nvar p = os.Getenv(\"PORT\")",
                ),
            ],
            ".tidings/app",
        );
        let build = file.settings.proxy.build.unwrap();
        assert_eq!(build, "go build -o .tidings/app .", "{toml}");
        let (_, file) = check_command(
            &[
                ("go.mod", "module x"),
                (
                    "cmd/web/main.go",
                    "package main\nimport \"github.com/gin-gonic/gin\"",
                ),
            ],
            ".tidings/app",
        );
        let build = file.settings.proxy.build.unwrap();
        assert_eq!(build, "go build -o .tidings/app ./cmd/web");
    }

    #[test]
    fn rails_gets_a_pid_file_for_each_port() {
        let (toml, file) = check_command(
            &[
                (
                    "Gemfile",
                    "source 'https://rubygems.org'\ngem \"rails\", \"~> 8.0\"",
                ),
                ("app/models/a.rb", ""),
                ("config/routes.rb", ""),
                ("bin/rails", ""),
            ],
            "bin/rails server --port {port} --pid tmp/pids/{port}.pid",
        );
        assert_eq!(list(file.settings.watch), "app", "{toml}");
        let restart = list(file.settings.proxy.restart);
        assert_eq!(restart, "config", "{toml}");
        check_command(
            &[("Gemfile", "gem 'sinatra'"), ("config.ru", "")],
            "bundle exec rackup --port {port} --host 127.0.0.1",
        );
    }

    #[test]
    fn php_reads_its_files_anew_for_each_request() {
        let (toml, file) = check_command(
            &[("index.php", ""), ("style.css", "")],
            "php -d opcache.enable=0 -S 127.0.0.1:{port}",
        );
        assert_eq!(list(file.settings.watch), ".", "{toml}");
        assert_eq!(file.settings.proxy.restart, Some(Vec::new()), "{toml}");
        let (_, file) = check_command(
            &[("public/index.php", ""), ("composer.lock", "")],
            "php -d opcache.enable=0 -S 127.0.0.1:{port} -t public",
        );
        assert_eq!(list(file.settings.proxy.restart), "composer.lock");
        check_command(
            &[("artisan", ""), ("composer.json", "{}"), ("app/a.php", "")],
            "php artisan serve --host=127.0.0.1 --port={port} --no-reload",
        );
    }

    #[test]
    fn a_site_generator_builds_and_its_output_is_served() {
        let server = |folder: &str| {
            format!("python3 -m http.server {{port}} --bind 127.0.0.1 --directory {folder}")
        };
        for (files, folder, build) in [
            (
                &[("hugo.toml", "")][..],
                "public",
                "hugo --quiet --baseURL /",
            ),
            (
                &[("mkdocs.yml", "site_dir: out\n")],
                "out",
                "mkdocs build --quiet",
            ),
            (&[("mkdocs.yml", "")], "site", "mkdocs build --quiet"),
            (
                &[("conf.py", "project = 'x'\nextensions = []")],
                "_build/html",
                "sphinx-build -q . _build/html",
            ),
            (
                &[("docs/conf.py", "extensions = []")],
                "docs/_build/html",
                "sphinx-build -q docs docs/_build/html",
            ),
            (&[("book.toml", "")], "book", "mdbook build"),
            (&[("_config.yml", "")], "_site", "jekyll build --quiet"),
            (
                &[("_config.yml", ""), ("Gemfile", "gem 'jekyll'")],
                "_site",
                "bundle exec jekyll build --quiet",
            ),
        ] {
            let (toml, file) = check_command(files, &server(folder));
            assert_eq!(file.settings.proxy.build.as_deref(), Some(build), "{toml}");
            // The output is not watched, or it would be built for ever.
            let restart = list(file.settings.proxy.restart.clone());
            let ignore = file.settings.ignore.clone().unwrap_or_default();
            let top = folder.split('/').next().unwrap();
            let is_ignored = ignore.iter().any(|glob| glob.trim_matches('/') == folder);
            assert!(
                is_ignored || !(restart.is_empty() || restart == top),
                "{toml}"
            );
        }
    }

    #[test]
    fn everything_else_is_served_as_files() {
        for (files, dir) in [
            (&[("index.html", "")][..], "."),
            (&[("public/index.html", "")], "public"),
            (&[("package.json", "{}"), ("dist/index.html", "")], "dist"),
            (&[("README.md", "")], "."),
            (&[("package.json", "not json")], "."),
            (&[("Cargo.toml", "[package]\nname = \"a\"")], "."),
        ] {
            let (toml, file) = written_for(files);
            assert_eq!(file.settings.run, Some(Run::Serve), "{toml}");
            assert_eq!(
                file.settings.serve.dir.as_deref(),
                Some(Path::new(dir)),
                "{toml}"
            );
        }
    }

    #[test]
    fn every_line_that_is_commented_out_can_be_used() {
        for files in [&[("index.html", "")][..], &[("manage.py", "")]] {
            let (toml, _) = written_for(files);
            let used: Vec<_> = toml
                .lines()
                .map(|line| match line.strip_prefix("#") {
                    Some(key) if key.contains(" = ") && !key.starts_with(' ') => key,
                    _ => line,
                })
                .collect();
            assert!(used.len() > 5, "{toml}");
            assert_ne!(used.join("\n"), toml.trim_end());
            ConfigFile::of_text(&used.join("\n"));
        }
    }

    #[test]
    fn a_name_with_quotes_is_written_so_that_it_can_be_read() {
        let manifest = "[package]\nname = 'a\"b\\'\n[dependencies]\naxum = \"1\"";
        check_command(
            &[("Cargo.toml", manifest), ("src/main.rs", "")],
            "target/debug/a\"b\\",
        );
    }
}
