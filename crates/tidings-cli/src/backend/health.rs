//! Asks an instance over and over whether it is ready.

use std::time::Duration;

/// The pauses between two questions: short, because what is ready shall get its requests at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// How long one question may take; then it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until the answer is yes.
pub(super) async fn until_ready<F: Future<Output = bool>>(is_ready: impl Fn() -> F) {
    let mut pause = PAUSES.0;
    loop {
        if tokio::time::timeout(ANSWER_TIMEOUT, is_ready()).await == Ok(true) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES.1);
    }
}
