//! `tidings trust`: makes browsers trust the certificates of `--https`, or takes that back.

use serde::Serialize;

use crate::certificates::Authority;
use crate::certificates::trust::{self, Outcome, Step, Store};
use crate::report::{Console, HintedError, Message, Styles, printable};

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    /// What was added; none if it was removed.
    #[serde(flatten)]
    authority: Option<Added>,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Added {
    /// The file with the authority's certificate.
    certificate: String,
    /// Its SHA-256.
    fingerprint: String,
}

/// Adds this user's authority to these stores, or removes all that were added from them.
pub(crate) fn run(remove: bool, stores: &[Store], console: &Console) -> anyhow::Result<()> {
    let (authority, steps) = match remove {
        true => (None, trust::remove(stores)),
        false => {
            let authority = Authority::of_user()?;
            let steps = trust::add(&authority, stores);
            let added = Added {
                certificate: authority.root_file().display().to_string(),
                fingerprint: trust::fingerprint(&authority),
            };
            (Some(added), steps)
        }
    };
    let mut outcomes = steps.iter().map(|step| step.outcome == Outcome::Failed);
    let failed = match remove {
        // What one store keeps is trusted.
        true => outcomes.any(|failed| failed).then_some((
            "a store may still have the certificate",
            "do what is told above",
        )),
        false => outcomes.all(|failed| failed).then_some((
            "no store was changed",
            "add the certificate by hand, as told above",
        )),
    };
    console.banner("trust", &Done { authority, steps });
    match failed {
        None => Ok(()),
        Some((message, hint)) => Err(HintedError {
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
        .into()),
    }
}

impl Message for Done {
    fn text(&self, styles: Styles) -> String {
        let mut lines = Vec::new();
        for step in &self.steps {
            let place = printable(&step.place);
            let done = match step.outcome {
                Outcome::Added => "added to",
                Outcome::Removed => "removed from",
                Outcome::Failed => "not changed:",
            };
            let why = step.why.as_deref();
            let why = why.map(|why| format!(": {}", printable(why)));
            lines.push(format!("{done} {place}{}", why.unwrap_or_default()));
            if let Some(hint) = &step.hint {
                lines.push(format!("  {}", printable(hint)));
            }
        }
        let Some(added) = &self.authority else {
            if self.steps.is_empty() {
                lines.push("no store has it".to_owned());
            }
            return lines.join("\n");
        };
        let file = printable(&added.certificate);
        lines.push(format!("the certificate is {}", styles.bold(&file)));
        lines.push(styles.dim(&format!("SHA-256 {}", added.fingerprint)));
        lines.push("browsers that are open may have to be restarted. On other devices, copy the file there, and".to_owned());
        lines.push("  Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate".to_owned());
        lines.push("  iOS: open it, then Settings, Profile Downloaded; then General, About, Certificate Trust Settings".to_owned());
        lines.push(
            "  others: open it, or import it as an authority in the settings of the browser"
                .to_owned(),
        );
        lines.join("\n")
    }
}
