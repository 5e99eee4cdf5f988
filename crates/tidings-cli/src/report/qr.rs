//! A QR code for the terminal, two rows of modules in a line.

use anstyle::{Ansi256Color, Style};
use qrcode::{Color, EcLevel, QrCode};

use super::Styles;

/// The light margin. ISO/IEC 18004 asks for four modules; two are enough for cameras, and for small terminals.
const MARGIN: usize = 2;

/// Black on white, whatever the colours of the terminal are. Without colours, light modules are drawn, as if the
/// terminal were dark; most cameras read the negative as well. `None`: the text is too long.
pub(crate) fn qr_code(text: &str, styles: Styles) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let size = code.width() + 2 * MARGIN;
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < code.width());
        matches!((module(x), module(y)), (Some(x), Some(y)) if code[(x, y)] == Color::Dark)
    };
    let (style, drawn) = match styles.are_enabled() {
        true => {
            let colour = |index| Some(Ansi256Color(index).into());
            let style = Style::new().fg_color(colour(16)).bg_color(colour(231));
            (style, true)
        }
        false => (Style::new(), false),
    };
    let row = |y: usize| {
        let module = |x: usize| {
            // Below an odd number of rows there is the terminal.
            let lower = y + 1 < size && is_dark(x, y + 1) == drawn;
            match (is_dark(x, y) == drawn, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }
        };
        let modules: String = (0..size).map(module).collect();
        format!("{style}{modules}{style:#}")
    };
    let rows: Vec<_> = (0..size).step_by(2).map(row).collect();
    Some(rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_shows_its_modules_with_and_without_colours() {
        let text = "http://192.168.1.5:8080/?tidings=abcdefghijklmnopqrstuvwx";
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        for enabled in [true, false] {
            let shown = qr_code(text, Styles::for_tests(enabled)).unwrap();
            let plain: Vec<Vec<char>> = shown
                .lines()
                .map(|line| {
                    let is_drawn = |c: &char| " ▀▄█".contains(*c);
                    line.chars().filter(is_drawn).collect()
                })
                .collect();
            for y in 0..code.width() {
                for x in 0..code.width() {
                    let (column, row) = (x + MARGIN, y + MARGIN);
                    let half = if row % 2 == 0 { "▀█" } else { "▄█" };
                    let is_drawn = half.contains(plain[row / 2][column]);
                    assert_eq!(is_drawn == enabled, code[(x, y)] == Color::Dark);
                }
            }
        }
        assert!(qr_code(&"x".repeat(4000), Styles::for_tests(true)).is_none());
    }
}
