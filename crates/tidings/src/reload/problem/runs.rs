//! The output of a program as runs of text with a style.
//!
//! Each line is a row of cells, as in a terminal: a carriage return goes back to its start, so that of a
//! progress bar only the last state is left. `anstyle-parse` knows the syntax of control sequences.

use std::collections::VecDeque;
use std::fmt::Write;

use anstyle_parse::{Params, Parser, Perform, Utf8Parser};
use serde::Serialize;

use super::files;

/// What a run takes in an event besides its text and style.
const RUN_OVERHEAD: usize = 8;

/// Of a longer output only the end is looked at.
const MAX_INPUT: usize = 1024 * 1024;

/// A piece of text, and its style as names separated by blanks: `bold`, `dim`, `italic`, `underline`,
/// `strike`, `inverse`, `file` for the place in a file; `fg0` to `fg15` and `bg0` to `bg15` for the
/// terminal's colours, `fg#rrggbb` and `bg#rrggbb` for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Run(
    String,
    #[serde(skip_serializing_if = "String::is_empty")] String,
);

impl Run {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn style(&self) -> &str {
        &self.1
    }

    fn cost(&self) -> usize {
        self.0.len() + self.1.len() + RUN_OVERHEAD
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    /// One of the 16 that a terminal's theme chooses.
    Theme(u8),
    Rgb(u8, u8, u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    foreground: Option<Color>,
    background: Option<Color>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    strike: bool,
    inverse: bool,
    pub(super) file: bool,
}

impl Style {
    fn names(self) -> String {
        let flags = [
            (self.bold, "bold"),
            (self.dim, "dim"),
            (self.italic, "italic"),
            (self.underline, "underline"),
            (self.strike, "strike"),
            (self.inverse, "inverse"),
            (self.file, "file"),
        ];
        let mut names = String::new();
        for (_, name) in flags.into_iter().filter(|(is_set, _)| *is_set) {
            let _ = write!(names, " {name}");
        }
        for (color, name) in [(self.foreground, "fg"), (self.background, "bg")] {
            let _ = match color {
                None => Ok(()),
                Some(Color::Theme(n)) => write!(names, " {name}{n}"),
                Some(Color::Rgb(r, g, b)) => write!(names, " {name}#{r:02x}{g:02x}{b:02x}"),
            };
        }
        names.split_off(names.len().min(1))
    }
}

/// One character of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) char: char,
    pub(super) style: Style,
}

/// Takes an output apart, and keeps the end of it, of at most `limit` bytes.
pub(super) fn parse(output: &[u8], limit: usize) -> Vec<Run> {
    let cut = output.len().saturating_sub(MAX_INPUT);
    let mut screen = Screen::new(limit);
    screen.n_left_out = output[..cut].iter().filter(|&&byte| byte == b'\n').count();
    for line in output[cut..].split(|&byte| byte == b'\n') {
        // A new one for each line, so that a sequence without an end does not swallow the rest.
        let mut parser = Parser::<Utf8Parser>::new();
        for &byte in line {
            parser.advance(&mut screen, byte);
        }
        screen.end_line();
    }
    screen.finish()
}

struct Screen {
    limit: usize,
    /// The lines that are finished, and what they cost.
    lines: VecDeque<Vec<Run>>,
    cost: usize,
    n_left_out: usize,
    line: Vec<Cell>,
    column: usize,
    style: Style,
}

impl Screen {
    fn new(limit: usize) -> Screen {
        Screen {
            limit,
            lines: VecDeque::new(),
            cost: 0,
            n_left_out: 0,
            line: Vec::new(),
            column: 0,
            style: Style::default(),
        }
    }

    fn end_line(&mut self) {
        files::mark(&mut self.line);
        let blank = |cell: &Cell| cell.char == ' ' && cell.style == Style::default();
        while self.line.last().is_some_and(blank) {
            self.line.pop();
        }
        self.column = 0;
        let cells = self.line.drain(..).chain([Cell {
            char: '\n',
            style: Style::default(),
        }]);
        let mut runs: Vec<Run> = Vec::new();
        let mut last = None;
        for Cell { char, style } in cells {
            match runs.last_mut() {
                Some(run) if last == Some(style) => run.0.push(char),
                _ => runs.push(Run(char.into(), style.names())),
            }
            last = Some(style);
        }
        self.cost += runs.iter().map(Run::cost).sum::<usize>();
        self.lines.push_back(runs);
        while self.cost > self.limit {
            self.leave_out();
        }
    }

    /// Leaves out the first line, or the start of the only one.
    fn leave_out(&mut self) {
        if self.lines.len() > 1 {
            let first = self.lines.pop_front().unwrap_or_default();
            self.cost -= first.iter().map(Run::cost).sum::<usize>();
            self.n_left_out += 1;
            return;
        }
        let Some(line) = self.lines.front_mut() else {
            return;
        };
        let mut excess = self.cost - self.limit;
        let mut n_runs = 0;
        while line.get(n_runs).is_some_and(|run| run.cost() <= excess) {
            excess -= line[n_runs].cost();
            n_runs += 1;
        }
        line.drain(..n_runs);
        if let Some(first) = line.first_mut() {
            // All of its text, where what is left over is its overhead.
            let mut cut = excess.min(first.0.len());
            while !first.0.is_char_boundary(cut) {
                cut += 1;
            }
            first.0.drain(..cut);
            if first.0.is_empty() {
                line.remove(0);
            }
        }
        self.cost = line.iter().map(Run::cost).sum();
    }

    fn finish(mut self) -> Vec<Run> {
        let is_blank = |line: &Vec<Run>| line.iter().all(|run| run.0.trim().is_empty());
        while self.lines.back().is_some_and(is_blank) {
            self.lines.pop_back();
        }
        while self.n_left_out == 0 && self.lines.front().is_some_and(is_blank) {
            self.lines.pop_front();
        }
        let mut runs: Vec<Run> = Vec::new();
        if self.n_left_out > 0 {
            let s = if self.n_left_out == 1 { "" } else { "s" };
            let note = format!("({} line{s} before this left out)\n", self.n_left_out);
            runs.push(Run(note, "dim".to_owned()));
        }
        for run in self.lines.into_iter().flatten() {
            match runs.last_mut() {
                Some(last) if last.1 == run.1 => last.0.push_str(&run.0),
                _ => runs.push(run),
            }
        }
        runs
    }

    /// ECMA-48 8.3.117, SELECT GRAPHIC RENDITION.
    fn select(&mut self, params: &Params) {
        let style = &mut self.style;
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match param[0] {
                0 => *style = Style::default(),
                1 => style.bold = true,
                2 => style.dim = true,
                3 => style.italic = true,
                // 4:0 is no underline; 4:3 and others are kinds of it.
                4 => style.underline = param.get(1) != Some(&0),
                7 => style.inverse = true,
                9 => style.strike = true,
                21 => style.underline = true,
                22 => (style.bold, style.dim) = (false, false),
                23 => style.italic = false,
                24 => style.underline = false,
                27 => style.inverse = false,
                29 => style.strike = false,
                n @ 30..=37 => style.foreground = theme(n - 30),
                38 => style.foreground = extended(param, &mut params).or(style.foreground),
                39 => style.foreground = None,
                n @ 40..=47 => style.background = theme(n - 40),
                48 => style.background = extended(param, &mut params).or(style.background),
                49 => style.background = None,
                58 => _ = extended(param, &mut params), // the underline's own colour
                n @ 90..=97 => style.foreground = theme(n - 90 + 8),
                n @ 100..=107 => style.background = theme(n - 100 + 8),
                _ => {}
            }
        }
    }
}

impl Perform for Screen {
    fn print(&mut self, char: char) {
        // Of the control characters of Unicode, none has a width.
        if char.is_control() {
            return;
        }
        let cell = Cell {
            char,
            style: self.style,
        };
        match self.line.get_mut(self.column) {
            Some(place) => *place = cell,
            None => self.line.push(cell),
        }
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            b'\x08' => self.column = self.column.saturating_sub(1),
            b'\t' => {
                let style = self.style;
                self.line.truncate(self.column);
                self.line.push(Cell { char: '\t', style });
                self.column += 1;
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if ignore || !intermediates.is_empty() {
            return;
        }
        match action {
            b'm' if params.is_empty() => self.style = Style::default(),
            b'm' => self.select(params),
            // ERASE IN LINE, from here to its end or all of it.
            b'K' => match params.iter().next().map_or(0, |param| param[0]) {
                0 => self.line.truncate(self.column),
                2 => {
                    self.line.clear();
                    self.column = 0;
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn theme(n: u16) -> Option<Color> {
    Some(Color::Theme(u8::try_from(n).ok()?))
}

/// The colour of `38;5;n` and `38;2;r;g;b`, and of the same with colons (ISO 8613-6), which may have the
/// number of a colour space before the three.
fn extended<'a>(param: &[u16], rest: &mut impl Iterator<Item = &'a [u16]>) -> Option<Color> {
    let byte = |n: Option<u16>| u8::try_from(n?).ok();
    if param.len() > 1 {
        return match param[1..] {
            [5, n, ..] => indexed(byte(Some(n))?),
            [2, r, g, b] | [2, _, r, g, b, ..] => {
                Some(Color::Rgb(byte(Some(r))?, byte(Some(g))?, byte(Some(b))?))
            }
            _ => None,
        };
    }
    let mut next = || rest.next().map(|param| param[0]);
    match next()? {
        5 => indexed(byte(next())?),
        2 => {
            let (r, g, b) = (next(), next(), next());
            Some(Color::Rgb(byte(r)?, byte(g)?, byte(b)?))
        }
        _ => None,
    }
}

/// The 256 colours of xterm: 16 of the theme, a cube of 6 by 6 by 6, and 24 greys.
fn indexed(n: u8) -> Option<Color> {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    Some(match n {
        0..=15 => Color::Theme(n),
        16..=231 => {
            let n = n - 16;
            Color::Rgb(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (n - 232);
            Color::Rgb(grey, grey, grey)
        }
    })
}
