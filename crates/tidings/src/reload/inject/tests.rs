use super::*;
use proptest::prelude::*;

/// `|` marks where the script must be.
#[track_caller]
fn check(marked: &str) {
    let page = marked.replacen('|', "", 1);
    assert_eq!(
        String::from_utf8_lossy(&whole(page.as_bytes())),
        marked.replacen('|', "<S>", 1)
    );
    // Byte by byte it must be the same.
    assert_eq!(
        String::from_utf8_lossy(&in_chunks(page.as_bytes(), &[1])),
        marked.replacen('|', "<S>", 1),
        "byte by byte"
    );
}

fn whole(page: &[u8]) -> Vec<u8> {
    in_chunks(page, &[usize::MAX])
}

fn in_chunks(page: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut injector = Injector::new(Bytes::from_static(b"<S>"));
    let mut out = Vec::new();
    let mut rest = page;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap()).clamp(1, rest.len());
        let (chunk, tail) = rest.split_at(size);
        injector.push(Bytes::copy_from_slice(chunk), &mut out);
        rest = tail;
    }
    injector.finish(&mut out);
    out.concat()
}

fn outcome(page: &[u8]) -> Outcome {
    let mut injector = Injector::new(Bytes::from_static(b"<S>"));
    let mut out = Vec::new();
    injector.push(Bytes::copy_from_slice(page), &mut out);
    injector.finish(&mut out);
    if injector.outcome() != Some(Outcome::Injected) {
        assert_eq!(out.concat(), page, "a byte was changed");
    }
    injector.outcome().unwrap()
}

#[test]
fn right_after_head() {
    check("<!doctype html><html lang=en><head>|<title>x</title></head><body></body></html>");
    check("<!DOCTYPE html>\n<HTML>\n<HEAD profile='a>b'>|\n<TITLE>x</TITLE>");
    check("<html><head/>|<title>x</title>");
}

#[test]
fn before_the_first_element_where_there_is_no_head() {
    check("<!doctype html>\n|<title>x</title><p>y");
    check("<!doctype html><html>\n  |<body>y");
    check("|<p>just this");
    check("|<frameset cols='50%,50%'><frame src=a><frame src=b></frameset>");
    check("<html>|<frameset></frameset></html>");
    check("|<svg></svg>");
}

#[test]
fn before_the_first_text_where_there_are_no_tags() {
    check("|Hello");
    check("\n\t |Hello <b>you</b>");
    check("<!doctype html>\n\n|Hello<head>");
    check("<html>\n|Hello<head>");
}

#[test]
fn comments_and_doctypes_are_passed_over() {
    check("<!-- <head> --><!doctype html><!-- <body> </body> --><html><!-- x --><head>|</head>");
    check(
        "<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x'><html xmlns='y'><head>|",
    );
    check("<!-- a --!>\n|<p>");
}

#[test]
fn a_long_licence_comes_first() {
    let page = format!("<!-- {} --><html><head>|</head>", "x".repeat(3 * STEP));
    check(&page);
}

#[test]
fn scripts_that_contain_tags_come_after() {
    check("<head>|<script>'<head></body>'</script>");
    check("|<script>document.write('<head></head></body>')</script>");
    check("<html>|<title><head></title>");
}

#[test]
fn a_byte_order_mark_stays_first() {
    check("\u{feff}|Hello");
    check("\u{feff}<!doctype html><head>|");
    check("\u{feff}|");
}

#[test]
fn half_a_page_gets_its_script_before_the_unfinished_part() {
    check("|");
    check("   |");
    check("<!doctype html>|");
    check("<!doctype html>\n|<ht");
    check("<!doctype html><html><!-- x -->|<hea");
    check("|<!-- never closed <head>");
    check("<!doctype html>|<!-- never closed <head>");
    check("|<!doct");
}

#[test]
fn any_ascii_compatible_encoding_passes_untouched() {
    let page = b"<!doctype html><meta charset=windows-1252><p>caf\xe9 \xff\x80\x9d";
    let mut expected = b"<!doctype html><S>".to_vec();
    expected.extend_from_slice(&page[15..]);
    assert_eq!(whole(page), expected);
    assert_eq!(in_chunks(page, &[1]), expected);
    assert_eq!(whole(b"\xe9t\xe9"), b"<S>\xe9t\xe9");
    assert_eq!(in_chunks(b" \xe9t\xe9", &[1]), b" <S>\xe9t\xe9");
}

#[test]
fn utf_16_is_left_alone_with_that_reason() {
    let reason = Outcome::LeftAlone("it is encoded in UTF-16");
    assert_eq!(outcome(b"\xff\xfe<\0p\0>\0"), reason);
    assert_eq!(outcome(b"\xfe\xff\0<\0p\0>"), reason);
    assert_eq!(outcome(b"<\0p\0>\0"), reason);
}

#[test]
fn no_more_than_the_limit_is_held_back() {
    let mut page = b"<!--".to_vec();
    page.resize(LIMIT + 10, b'x');
    assert!(matches!(outcome(&page), Outcome::LeftAlone(_)));
    let mut injector = Injector::new(Bytes::from_static(b"<S>"));
    let mut out = Vec::new();
    for chunk in page.chunks(1000) {
        injector.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    assert!(!out.is_empty(), "nothing was passed on before the end");
}

#[test]
fn what_follows_the_script_is_not_parsed() {
    // 64 MiB of tags: parsing them would make this test slow, copying them only counts a reference.
    let mut page = b"<head>".to_vec();
    page.resize(64 << 20, b'<');
    let mut injector = Injector::new(Bytes::from_static(b"<S>"));
    let mut out = Vec::new();
    injector.push(Bytes::from(page), &mut out);
    assert_eq!(injector.outcome(), Some(Outcome::Injected));
    assert_eq!(out.len(), 3);
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("<head>".to_owned()),
        Just("<HTML>".to_owned()),
        Just("<!doctype html>".to_owned()),
        Just("<!-- head -->".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("</head>".to_owned()),
        Just("<title>".to_owned()),
        Just("<body class='>'>".to_owned()),
        Just("<script>".to_owned()),
        Just("</script>".to_owned()),
        Just("\n ".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("é".to_owned()),
        "[ -~]{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn prop_chunks_do_not_matter(page in soup(), sizes in prop::collection::vec(1usize..9, 1..6)) {
        prop_assert_eq!(in_chunks(&page, &sizes), whole(&page));
    }

    #[test]
    fn prop_taking_the_script_out_gives_the_page(page in prop::collection::vec(any::<u8>(), 0..200)) {
        let out = whole(&page);
        if out != page {
            let at = (0..=out.len() - 3)
                .find(|&at| &out[at..at + 3] == b"<S>" && [&out[..at], &out[at + 3..]].concat() == page);
            prop_assert!(at.is_some());
        }
    }
}
