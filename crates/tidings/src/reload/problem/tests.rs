use proptest::prelude::*;

use super::*;

fn problem(text: &str) -> Problem {
    Problem::new(ProblemKind::BuildFailed, "Failed", text)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(
        serde_json::to_string(&problem(text).text).unwrap(),
        expected
    );
}

#[test]
fn colours_and_styles_are_kept() {
    check(
        "\x1b[1;31merror\x1b[0m: \x1b[4mx\x1b[24m\x1b[38;5;9my\x1b[39m\n",
        r#"[["error","bold fg1"],[": "],["x","underline"],["y","fg9"],["\n"]]"#,
    );
    check(
        "\x1b[38;5;208ma\x1b[38;2;1;2;3mb\x1b[38:2::4:5:6mc\x1b[48;5;232md\x1b[m",
        r##"[["a","fg#ff8700"],["b","fg#010203"],["c","fg#040506"],["d","fg#040506 bg#080808"],["\n"]]"##,
    );
    check(
        "\x1b[97;41;2;3;7;9mz",
        r#"[["z","dim italic strike inverse fg15 bg1"],["\n"]]"#,
    );
}

#[test]
fn a_style_goes_on_over_the_end_of_a_line() {
    check(
        "\x1b[32ma\nb\x1b[0m",
        r#"[["a","fg2"],["\n"],["b","fg2"],["\n"]]"#,
    );
}

#[test]
fn other_sequences_are_removed() {
    check(
        "\x1b]8;;http://x/\x1b\\link\x1b]8;;\x07 \x1b[2J\x1b[?25lon\x1b(B\x1bPq\x1b\\\x00\u{7f}!",
        r#"[["link on!\n"]]"#,
    );
}

#[test]
fn a_sequence_without_an_end_takes_its_line_only() {
    check(
        "a\x1b]0;b\nc\x1b[38;5\nd\x1b[38;2;1;2;300me",
        r#"[["a\nc\nde\n"]]"#,
    );
}

#[test]
fn lines_are_written_over_as_in_a_terminal() {
    check(
        "10 %\r100 %\r\ndone  \r\nabc\x08d\nlong\rs\x1b[K\n",
        "[[\"100 %\\ndone\\nabd\\ns\\n\"]]",
    );
}

#[test]
fn places_in_files_are_marked_in_their_own_style() {
    check(
        "\x1b[34m-->\x1b[0m src/main.rs:4:5",
        r#"[["-->","fg4"],[" "],["src/main.rs:4:5","file"],["\n"]]"#,
    );
}

#[test]
fn blank_lines_around_it_are_removed() {
    check("\n \n  a\n\n", r#"[["  a\n"]]"#);
    check("", "[]");
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let text =
        Problem::new(ProblemKind::BackendExited, "\x1b[1mx\ny", b"\xff\xfea\xc3").plain_text();
    assert!(text.contains('a'), "{text}");
    assert_eq!(
        Problem::new(ProblemKind::BackendExited, "x\ny", "").title(),
        "x y"
    );
}

#[test]
fn of_a_long_text_the_end_is_kept_in_its_colours() {
    let mut text = String::from("\x1b[31m");
    for n in 0..20_000 {
        text += &format!("line {n}\n");
    }
    let long = problem(&text);
    let plain = long.plain_text();
    assert!(plain.len() <= Problem::MAX_TEXT_BYTES, "{}", plain.len());
    assert!(plain.ends_with("line 19999\n"));
    assert!(plain.starts_with('('), "{}", &plain[..60]);
    assert!(plain.contains(" lines before this left out)\nline "));
    assert!(serde_json::to_string(&long.text).unwrap().contains("fg1"));
}

#[test]
fn the_end_of_a_long_line_is_kept() {
    let text = "é".repeat(Problem::MAX_TEXT_BYTES) + "end";
    let plain = problem(&text).plain_text();
    assert!(plain.len() <= Problem::MAX_TEXT_BYTES, "{}", plain.len());
    assert!(plain.len() > Problem::MAX_TEXT_BYTES - 100);
    assert!(plain.ends_with("éend\n"));
}

#[test]
fn a_style_for_each_character_is_bounded_as_well() {
    let text: String = (0..50_000).map(|n| format!("\x1b[3{}mx", n % 8)).collect();
    let json = serde_json::to_string(&problem(&text).text).unwrap();
    assert!(json.len() < 2 * Problem::MAX_TEXT_BYTES, "{}", json.len());
}

#[test]
fn the_page_holds_any_text_as_text() {
    let problem = Problem::new(
        ProblemKind::BackendExited,
        "<b>\"&",
        "\x1b[31m</pre><script>alert(1)</script>\x1b[38;5;208mé",
    );
    let page = problem_page(&problem, "<script src=\"/c.js\"></script>");
    assert!(page.is_ascii());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(
        page.contains("<title>&lt;b&gt;&quot;&amp;</title>"),
        "{page}"
    );
    assert!(
        page.contains(r#"<span class="fg" style="--fg:var(--c1);">&lt;/pre&gt;&lt;script&gt;"#),
        "{page}"
    );
    assert!(
        page.contains(r##"<span class="fg rgb" style="--fg:#ff8700;">&#xe9;</span>"##),
        "{page}"
    );
    assert!(page.contains("http-equiv=\"refresh\""));
}

proptest! {
    #[test]
    fn prop_any_output_is_bounded_text_without_control_characters(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20),
                "\x1b\\[[0-9;:]{0,12}[mKJH]".prop_map(String::into_bytes),
                "\x1b[\\]P_^X(][ -~]{0,9}(\x07|\x1b\\\\)?".prop_map(String::into_bytes),
                "[a-z./:0-9()\" ]{0,30}[\r\n\t\x08]?".prop_map(String::into_bytes),
            ],
            0..60,
        ),
        limit in 40usize..2000,
    ) {
        let runs = runs::parse(&pieces.concat(), limit);
        let text: String = runs.iter().map(Run::text).collect();
        let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
        prop_assert!(!text.contains(is_control), "{text:?}");
        prop_assert!(runs.iter().all(|run| !run.text().is_empty()));
        // The note about what is left out comes on top.
        prop_assert!(text.len() <= limit + 60, "{} of {limit}", text.len());
        let json = serde_json::to_string(&runs).unwrap();
        prop_assert!(json.len() <= 6 * (limit + 100), "{} of {limit}", json.len());
    }
}
