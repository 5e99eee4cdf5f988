//! Policies as frameworks and sites send them, and what becomes of each.

use super::*;

const OWN: Own<'_> = Own {
    authority: Some("localhost:3000"),
    client: "/@tidings/client.js?0123",
    stream: "/@tidings/events",
};
const CLIENT: &str = "localhost:3000/@tidings/";
const CONNECT: &str = "localhost:3000/@tidings/events localhost:3000/@tidings/";

/// The policies, edited, and the nonce of our element.
#[track_caller]
fn edited(policies: &[&str], own: Own<'_>) -> Result<(Vec<String>, Option<String>), &'static str> {
    let mut headers = HeaderMap::new();
    for policy in policies {
        headers.append(CONTENT_SECURITY_POLICY, policy.parse().unwrap());
    }
    let mut admission = admit(&headers, own)?;
    admission.apply(&mut headers);
    let values = headers.get_all(CONTENT_SECURITY_POLICY).iter();
    let values = values.map(|value| value.to_str().unwrap().to_owned());
    Ok((values.collect(), admission.nonce))
}

/// `{client}` and `{connect}` stand for our sources.
#[track_caller]
fn check(policy: &str, expected: &str, nonce: Option<&str>) {
    let expected = expected
        .replace("{client}", CLIENT)
        .replace("{connect}", CONNECT);
    let (values, found) = edited(&[policy], OWN).unwrap();
    assert_eq!(values, [expected]);
    assert_eq!(found.as_deref(), nonce);
}

#[track_caller]
fn check_unchanged(policy: &str, nonce: Option<&str>) {
    check(policy, policy, nonce);
}

#[test]
fn a_script_at_the_top_of_the_site_is_admitted_alone() {
    let own = Own {
        client: "/client.js?1",
        stream: "/events",
        ..OWN
    };
    let (values, _) = edited(&["script-src 'none'; connect-src 'none'"], own).unwrap();
    assert_eq!(
        values,
        ["script-src localhost:3000/client.js; \
             connect-src localhost:3000/events localhost:3000/client.js"]
    );
}

#[test]
fn a_policy_that_lets_the_page_use_its_own_origin_is_not_touched() {
    for policy in [
        "default-src 'self'",
        "  default-src  'self' ; img-src * ;; ",
        "default-src *; script-src 'self' 'unsafe-inline'",
        "DEFAULT-SRC 'SELF'",
        "default-src http: https: data: 'unsafe-inline'",
        "img-src 'none'; frame-ancestors 'none'",
        "upgrade-insecure-requests",
        "sandbox allow-scripts allow-same-origin allow-forms",
        "",
        // Django 6, as its documentation has it.
        "default-src 'self'; script-src 'self'; img-src 'self' https:",
        // Helmet's default (Express).
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
         frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';\
         script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ] {
        check_unchanged(policy, None);
    }
}

#[test]
fn a_nonce_is_copied_and_the_policy_stays() {
    // Google's strict policy, with which scripts may start workers.
    check_unchanged(
        "object-src 'none'; script-src 'nonce-r4nd0m==' 'unsafe-inline' 'strict-dynamic' https: http:; base-uri 'none'",
        Some("r4nd0m=="),
    );
    // Rails: `policy.script_src :self, :https` with a nonce.
    check_unchanged(
        "default-src 'self' https:; font-src 'self' https: data:; img-src 'self' https: data:; \
         object-src 'none'; script-src 'self' https: 'nonce-a+b/c='; style-src 'self' https:",
        Some("a+b/c="),
    );
    check_unchanged(
        "script-src-elem 'NONCE-x' 'strict-dynamic'; script-src 'self'",
        Some("x"),
    );
}

#[test]
fn with_a_nonce_alone_the_worker_needs_its_own_permission() {
    check(
        "script-src 'nonce-x'",
        "script-src 'nonce-x'; worker-src {client}",
        Some("x"),
    );
    check(
        "default-src 'none'; script-src 'nonce-x' https://cdn.example/; connect-src 'self'",
        "default-src 'none'; script-src 'nonce-x' https://cdn.example/; connect-src 'self'; \
         worker-src https://cdn.example/ {client}",
        Some("x"),
    );
}

#[test]
fn a_nonce_that_is_no_base64_is_not_copied() {
    check(
        "script-src 'nonce-\"><script>'",
        "script-src 'nonce-\"><script>' {client}",
        None,
    );
}

#[test]
fn what_is_missing_is_made_from_what_it_falls_back_to() {
    check(
        "default-src 'none'",
        "default-src 'none'; script-src {client}; connect-src {connect}",
        None,
    );
    check(
        "default-src https://a.example 'unsafe-inline'; img-src *;",
        "default-src https://a.example 'unsafe-inline'; img-src *; \
         script-src https://a.example 'unsafe-inline' {client}; \
         connect-src https://a.example {connect};",
        None,
    );
    // A worker's list takes nothing from that of frames but its sources.
    check(
        "child-src https://frames.example; script-src 'self'",
        "child-src https://frames.example; script-src 'self'; worker-src https://frames.example {client}",
        None,
    );
}

#[test]
fn what_is_there_gets_our_addresses_and_nothing_else() {
    // GitHub's, shortened.
    check(
        "default-src 'none'; base-uri 'self'; connect-src 'self' uploads.github.com wss://alive.github.com; \
         script-src github.githubassets.com; style-src 'unsafe-inline' github.githubassets.com; \
         worker-src github.githubassets.com github.com/assets-cdn/worker/",
        "default-src 'none'; base-uri 'self'; connect-src 'self' uploads.github.com wss://alive.github.com; \
         script-src github.githubassets.com {client}; style-src 'unsafe-inline' github.githubassets.com; \
         worker-src github.githubassets.com github.com/assets-cdn/worker/ {client}",
        None,
    );
    check(
        "script-src 'none'; connect-src 'None'; worker-src 'none'",
        "script-src {client}; connect-src {connect}; worker-src {client}",
        None,
    );
    check("script-src", "script-src {client}", None);
    check(
        "script-src 'sha256-abc='",
        "script-src 'sha256-abc=' {client}",
        None,
    );
}

#[test]
fn only_the_first_directive_of_a_name_counts() {
    check(
        "script-src https://a.example; script-src 'self'",
        "script-src https://a.example {client}; script-src 'self'",
        None,
    );
}

#[test]
fn strict_dynamic_without_a_nonce_gets_one_of_our_own() {
    let policy = "script-src 'strict-dynamic' 'sha256-abc=' 'self'";
    let (values, nonce) = edited(&[policy], OWN).unwrap();
    let nonce = nonce.unwrap();
    assert_eq!(values, [format!("{policy} 'nonce-{nonce}'")]);
    let (_, other) = edited(&[policy], OWN).unwrap();
    assert_ne!(nonce, other.unwrap());
}

#[test]
fn all_policies_apply_whether_in_one_line_or_in_several() {
    let both = [
        "default-src 'self', script-src 'nonce-x'",
        "script-src 'none'",
    ];
    let (values, nonce) = edited(&both, OWN).unwrap();
    assert_eq!(
        values,
        [
            format!("default-src 'self', script-src 'nonce-x'; worker-src {CLIENT}"),
            format!("script-src {CLIENT}"),
        ]
    );
    assert_eq!(nonce.as_deref(), Some("x"));
    // An element has one nonce, so the other policy gets our address.
    let (values, nonce) = edited(
        &["script-src 'nonce-x' 'self'", "script-src 'nonce-y'"],
        OWN,
    )
    .unwrap();
    assert_eq!(
        values,
        [
            "script-src 'nonce-x' 'self'".to_owned(),
            format!("script-src 'nonce-y' {CLIENT}"),
        ]
    );
    assert_eq!(nonce.as_deref(), Some("x"));
}

#[test]
fn a_policy_that_only_reports_has_nothing_to_report_of_us() {
    let mut headers = HeaderMap::new();
    let name = CONTENT_SECURITY_POLICY_REPORT_ONLY;
    headers.append(
        &name,
        "script-src 'nonce-x'; report-uri /csp".parse().unwrap(),
    );
    headers.append(
        CONTENT_SECURITY_POLICY,
        "default-src 'self'".parse().unwrap(),
    );
    let mut admission = admit(&headers, OWN).unwrap();
    admission.apply(&mut headers);
    assert_eq!(
        headers[&name],
        format!("script-src 'nonce-x'; report-uri /csp; worker-src {CLIENT}")
    );
    assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'self'");
    assert_eq!(admission.nonce.as_deref(), Some("x"));
}

#[test]
fn the_name_of_our_trusted_types_policy_is_allowed() {
    check_unchanged("require-trusted-types-for 'script'", None);
    check_unchanged("trusted-types *; require-trusted-types-for 'script'", None);
    check("trusted-types 'none'", "trusted-types tidings", None);
    check(
        "require-trusted-types-for 'script'; trusted-types app Tidings;",
        "require-trusted-types-for 'script'; trusted-types app Tidings tidings;",
        None,
    );
}

#[test]
fn a_page_in_a_sandbox_is_left_alone() {
    for policy in [
        "sandbox",
        "sandbox allow-scripts",
        "sandbox allow-same-origin",
    ] {
        assert!(edited(&[policy], OWN).is_err(), "{policy}");
    }
}

#[test]
fn an_address_that_no_source_can_name_is_no_reason_to_loosen_a_policy() {
    let at = |authority| Own { authority, ..OWN };
    for authority in [
        Some("[::1]:3000"),
        Some("a,b"),
        Some("x;y"),
        Some("u@h"),
        Some(""),
        None,
    ] {
        assert!(edited(&["script-src 'none'"], at(authority)).is_err());
        // Where none is needed, it does not matter.
        assert!(edited(&["script-src 'self'"], at(authority)).is_ok());
    }
    for authority in ["127.0.0.1:1", "my_app.test", "x.localhost:3000"] {
        let (values, _) = edited(&["script-src"], at(Some(authority))).unwrap();
        assert_eq!(values, [format!("script-src {authority}/@tidings/")]);
    }
}

proptest::proptest! {
    /// Whatever the policy: each of its directives is still there, with its sources, and nothing but what is
    /// ours was added to any of them.
    #[test]
    fn a_policy_only_gains_what_is_ours(
        pieces in proptest::collection::vec(
            "default-src|script-src|script-src-elem|worker-src|child-src|connect-src|img-src|sandbox|\
             trusted-types|'self'|'none'|'nonce-[a-z]{1,3}'|'strict-dynamic'|\\*|https://a\\.example| |;|,",
            0..20,
        ),
    ) {
        let policy = pieces.join(" ");
        let Ok((values, nonce)) = edited(&[&policy], OWN) else {
            return Ok(());
        };
        let own = format!("{CLIENT} {CONNECT} tidings 'nonce-{}'", nonce.unwrap_or_default());
        let admitted = Policies::read_text(&values[0]);
        for (before, after) in Policies::read_text(&policy).iter().zip(&admitted) {
            for (name, range) in &before.directives {
                let sources = SourceList(&before.text[range.clone()]);
                let after = after.list(name).unwrap();
                for source in sources.sources() {
                    proptest::prop_assert!(after.has(source) || source == "'none'", "{policy}: {values:?}");
                }
                for source in after.sources() {
                    let is_ours = own.split(' ').any(|own| own == source);
                    proptest::prop_assert!(sources.has(source) || is_ours, "{policy}: {values:?}");
                }
            }
            if let Some(list) = before.list("default-src") {
                proptest::prop_assert_eq!(after.list("default-src").unwrap().0, list.0);
            }
        }
        // Once more makes no difference.
        if let Ok((again, _)) = edited(&[&values[0]], OWN) {
            proptest::prop_assert_eq!(again, values);
        }
    }
}

impl Policies {
    fn read_text(text: &str) -> Vec<Policy> {
        text.split(',').map(Policy::parse).collect()
    }
}
