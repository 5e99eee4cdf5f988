//! The user's editor, for "open in the editor": which one it is, and how it is told the line.
//!
//! What must stay true: the program and its arguments come from the user's environment and from this file, never
//! from a request; a request only chooses the file and the line. There is no shell. The path is absolute, so it
//! cannot be taken for an option.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// How to run the user's editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Editor {
    /// The program and its first arguments.
    command: Vec<String>,
    arguments: Arguments,
}

/// How an editor is told the file and the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    /// The user has said where: `{file}`, `{line}` and `{column}`.
    Placeholders,
    /// `--goto FILE:LINE:COLUMN`
    Goto,
    /// `FILE:LINE:COLUMN`
    Colons,
    /// `--line LINE --column COLUMN FILE`
    Options,
    /// `--line LINE FILE`
    Line,
    /// `--line LINE:COLUMN FILE`
    LineAndColumn,
    /// `+LINE FILE`
    Plus,
    /// `+LINE:COLUMN FILE`
    PlusAndColumn,
    /// `-nLINE -cCOLUMN FILE`
    Numbers,
    /// `FILE`
    File,
}

/// Why there is no editor to open a file with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoEditor(pub(crate) String);

impl Editor {
    /// `$TIDINGS_EDITOR`, or `$VISUAL` or `$EDITOR` if it has a window of its own.
    pub(crate) fn of_user() -> Result<Editor, NoEditor> {
        let variable = |name: &str| env::var(name).unwrap_or_default();
        Editor::choose(
            &variable("TIDINGS_EDITOR"),
            &[&variable("VISUAL"), &variable("EDITOR")],
        )
    }

    fn choose(ours: &str, others: &[&str]) -> Result<Editor, NoEditor> {
        let command = words(ours);
        if let Some(program) = command.first() {
            if command.iter().any(|word| word.contains("{file}")) {
                let arguments = Arguments::Placeholders;
                return Ok(Editor { command, arguments });
            }
            if is_of_terminal(&command) {
                return Err(NoEditor(format!(
                    "{program} needs a terminal: set TIDINGS_EDITOR to a command that opens one, such as \
                     `xterm -e {program} {{file}}`"
                )));
            }
            let arguments = arguments_of(program).unwrap_or(Arguments::File);
            return Ok(Editor { command, arguments });
        }
        for other in others {
            let command = words(other);
            let known = command.first().and_then(|program| arguments_of(program));
            if let Some(arguments) = known.filter(|_| !is_of_terminal(&command)) {
                return Ok(Editor { command, arguments });
            }
        }
        Err(NoEditor(
            "no editor is known: set TIDINGS_EDITOR, to `code` for example, and start tidings again"
                .to_owned(),
        ))
    }

    /// The program and all of its arguments.
    fn command_line(&self, file: &Path, line: u32, column: u32) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.command.iter().map(OsString::from).collect();
        let with = |before: String, after: String| {
            let mut word = OsString::from(before);
            word.push(file);
            word.push(after);
            word
        };
        let options: Vec<String> = match self.arguments {
            Arguments::Placeholders => {
                let fill = |word: &String| filled(word, file, line, column);
                return self.command.iter().map(fill).collect();
            }
            Arguments::Goto | Arguments::Colons => {
                if self.arguments == Arguments::Goto {
                    words.push("--goto".into());
                }
                words.push(with(String::new(), format!(":{line}:{column}")));
                return words;
            }
            Arguments::Options => vec![
                "--line".to_owned(),
                line.to_string(),
                "--column".to_owned(),
                column.to_string(),
            ],
            Arguments::Line => vec!["--line".to_owned(), line.to_string()],
            Arguments::LineAndColumn => vec!["--line".to_owned(), format!("{line}:{column}")],
            Arguments::Plus => vec![format!("+{line}")],
            Arguments::PlusAndColumn => vec![format!("+{line}:{column}")],
            Arguments::Numbers => vec![format!("-n{line}"), format!("-c{column}")],
            Arguments::File => Vec::new(),
        };
        words.extend(options.into_iter().map(OsString::from));
        words.push(file.into());
        words
    }

    /// Starts it, and does not wait for it. `file` is absolute.
    pub(crate) fn open(&self, file: &Path, line: u32, column: u32) -> io::Result<()> {
        let words = self.command_line(file, line, column);
        let Some((program, arguments)) = words.split_first() else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C in our terminal is not for the editor.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        // Ends with the editor, so that none is left as a zombie.
        std::thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || child.wait())?;
        Ok(())
    }
}

/// The words of a command: separated by blanks, or in quotes. Backslashes are themselves, as in paths of Windows.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// One word with its placeholders filled in. A file's name is not looked at again.
fn filled(word: &str, file: &Path, line: u32, column: u32) -> OsString {
    let mut filled = OsString::new();
    for (index, part) in word.split("{file}").enumerate() {
        if index > 0 {
            filled.push(file);
        }
        let part = part.replace("{line}", &line.to_string());
        filled.push(part.replace("{column}", &column.to_string()));
    }
    filled
}

/// The name of a program without its folder and extension.
fn stem(program: &str) -> String {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let name = name.to_ascii_lowercase();
    let known = [".exe", ".cmd", ".bat", ".sh"];
    let stem = known.iter().find_map(|end| name.strip_suffix(end));
    stem.unwrap_or(&name).to_owned()
}

/// How an editor with a window is told the line; `None` if it is not known.
fn arguments_of(program: &str) -> Option<Arguments> {
    Some(match &*stem(program) {
        "code" | "code-insiders" | "code-oss" | "codium" | "vscodium" | "cursor" | "windsurf"
        | "positron" | "trae" => Arguments::Goto,
        "subl" | "sublime_text" | "zed" | "zeditor" | "lapce" | "pulsar" | "atom" => {
            Arguments::Colons
        }
        "idea" | "idea64" | "clion" | "clion64" | "goland" | "goland64" | "phpstorm"
        | "phpstorm64" | "pycharm" | "pycharm64" | "charm" | "rider" | "rider64" | "rubymine"
        | "rubymine64" | "rustrover" | "rustrover64" | "webstorm" | "webstorm64" | "kate"
        | "kwrite" => Arguments::Options,
        "xed" | "geany" => Arguments::Line,
        "mate" | "bbedit" => Arguments::LineAndColumn,
        "gvim" | "mvim" | "macvim" => Arguments::Plus,
        "emacs" | "emacsclient" | "gedit" | "gnome-text-editor" | "pluma" => {
            Arguments::PlusAndColumn
        }
        "notepad++" => Arguments::Numbers,
        _ => return None,
    })
}

/// Whether this command runs in the terminal that it is started in.
fn is_of_terminal(command: &[String]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    match &*stem(program) {
        "emacs" | "emacsclient" => arguments
            .iter()
            .any(|argument| matches!(&**argument, "-nw" | "-t" | "--tty" | "--no-window-system")),
        "vi" | "vim" | "nvim" | "view" | "ex" | "ed" | "nano" | "pico" | "hx" | "helix"
        | "micro" | "kak" | "joe" | "ne" | "mcedit" | "mg" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variable: &str, expected: &[&str]) {
        let editor = Editor::choose(variable, &[]).unwrap();
        let words = editor.command_line(Path::new("/a b/c.rs"), 3, 5);
        assert_eq!(words, expected, "{variable}");
        assert_eq!(words.len(), expected.len());
    }

    #[test]
    fn known_editors_are_told_the_line_in_their_own_way() {
        check("code", &["code", "--goto", "/a b/c.rs:3:5"]);
        check(
            "'/opt/my code/bin/code' -r",
            &["/opt/my code/bin/code", "-r", "--goto", "/a b/c.rs:3:5"],
        );
        check(
            r#""C:\Program Files\Code\bin\code.cmd" -w"#,
            &[
                r"C:\Program Files\Code\bin\code.cmd",
                "-w",
                "--goto",
                "/a b/c.rs:3:5",
            ],
        );
        check("subl", &["subl", "/a b/c.rs:3:5"]);
        check(
            "idea",
            &["idea", "--line", "3", "--column", "5", "/a b/c.rs"],
        );
        check("gvim", &["gvim", "+3", "/a b/c.rs"]);
        check(
            "emacsclient -n",
            &["emacsclient", "-n", "+3:5", "/a b/c.rs"],
        );
        check("mate", &["mate", "--line", "3:5", "/a b/c.rs"]);
        check("xed", &["xed", "--line", "3", "/a b/c.rs"]);
        check(
            "notepad++.exe",
            &["notepad++.exe", "-n3", "-c5", "/a b/c.rs"],
        );
        check("unknown", &["unknown", "/a b/c.rs"]);
    }

    #[test]
    fn placeholders_say_where_the_file_and_the_line_go() {
        check(
            "xterm -e vim +{line} {file}",
            &["xterm", "-e", "vim", "+3", "/a b/c.rs"],
        );
        check(
            "x --at={file}:{line}:{column}",
            &["x", "--at=/a b/c.rs:3:5"],
        );
        let editor = Editor::choose("x {file}", &[]).unwrap();
        let words = editor.command_line(Path::new("/{line}/$(x);{file}"), 3, 5);
        assert_eq!(words, ["x", "/{line}/$(x);{file}"], "a name is only a name");
    }

    #[test]
    fn other_variables_count_only_if_their_editor_has_a_window() {
        let chosen = |ours, others: &[&str]| Editor::choose(ours, others).map(|e| e.command);
        assert_eq!(chosen("a", &["code"]).unwrap(), ["a"]);
        assert_eq!(chosen("", &["code -w", "vim"]).unwrap(), ["code", "-w"]);
        assert_eq!(chosen("", &["vim", "subl"]).unwrap(), ["subl"]);
        assert_eq!(
            chosen(" ", &["", "/usr/bin/gvim"]).unwrap(),
            ["/usr/bin/gvim"]
        );
        for others in [["vim", "nano"], ["", ""], ["unknown", "emacs -nw"]] {
            assert!(
                chosen("", &others)
                    .unwrap_err()
                    .0
                    .contains("TIDINGS_EDITOR")
            );
        }
        let refused = chosen("nvim", &["code"]).unwrap_err();
        assert!(refused.0.contains("needs a terminal"), "{refused:?}");
    }

    #[test]
    fn a_command_is_taken_apart_without_a_shell() {
        assert_eq!(
            words("a  'b c' \"d'e\" f\"g h\"i"),
            ["a", "b c", "d'e", "fg hi"]
        );
        assert_eq!(words("a '' $(b) `c` *"), ["a", "", "$(b)", "`c`", "*"]);
        assert_eq!(words("a 'b"), ["a", "b"]);
        assert_eq!(words(""), [""; 0]);
    }
}
