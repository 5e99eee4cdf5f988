//! Which instance a request goes to, and how many requests an instance still has.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::event::Failure;
use super::lifecycle::Generation;

/// Set in the count of an instance that gets no more requests.
const DRAINING: usize = 1 << (usize::BITS - 1);

/// Where new requests go.
pub(super) enum Serving<C> {
    /// To this instance.
    To(Arc<Instance<C>>),
    /// They wait: one is on its way.
    Wait,
    /// They are refused.
    Refuse(Arc<Failure>),
}

/// An instance that answers.
pub(super) struct Instance<C> {
    pub(super) generation: Generation,
    /// What sends requests to it.
    pub(super) client: C,
    in_flight: Arc<InFlight>,
}

impl<C> Instance<C> {
    pub(super) fn new(generation: Generation, client: C, drained: OnDrained) -> Instance<C> {
        Instance {
            generation,
            client,
            in_flight: Arc::new(InFlight {
                count: AtomicUsize::new(0),
                drained,
            }),
        }
    }

    /// A place for one request. Called only where no drain can have begun yet.
    pub(super) fn lease(self: &Arc<Self>) -> Lease<C> {
        self.in_flight.count.fetch_add(1, Ordering::AcqRel);
        Lease {
            instance: Arc::clone(self),
            counted: true,
        }
    }

    /// From now on the end of the last request is told, at once if there is none. Returns their number.
    pub(super) fn drain(&self) -> usize {
        let count = self.in_flight.count.fetch_or(DRAINING, Ordering::AcqRel);
        if count == 0 {
            (self.in_flight.drained)();
        }
        count & !DRAINING
    }
}

/// Called once, when an instance that drains has no requests left.
pub(super) type OnDrained = Box<dyn Fn() + Send + Sync>;

struct InFlight {
    count: AtomicUsize,
    drained: OnDrained,
}

impl InFlight {
    fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == DRAINING + 1 {
            (self.drained)();
        }
    }
}

/// The right to send one request to an instance. It counts as in flight there until this is dropped: keep
/// it for as long as the response's body.
pub(crate) struct Lease<C> {
    instance: Arc<Instance<C>>,
    counted: bool,
}

impl<C> Lease<C> {
    /// What sends requests to the instance.
    pub(crate) fn client(&self) -> &C {
        &self.instance.client
    }

    pub(crate) fn generation(&self) -> Generation {
        self.instance.generation
    }

    /// Says that this may go on for as long as it likes, as a WebSocket or an event stream: it does not
    /// hold up the end of the instance, and ends with it.
    pub(crate) fn long_lived(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.instance.in_flight.end();
        }
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        self.long_lived();
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.instance.generation;
        f.debug_tuple("Lease").field(&generation).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> (Arc<Instance<()>>, Arc<AtomicUsize>) {
        let told = Arc::new(AtomicUsize::new(0));
        let heard = Arc::clone(&told);
        let drained = Box::new(move || {
            heard.fetch_add(1, Ordering::Relaxed);
        });
        (Arc::new(Instance::new(1, (), drained)), told)
    }

    #[test]
    fn the_end_of_the_last_request_is_told_once_and_only_while_it_drains() {
        let (instance, told) = instance();
        drop(instance.lease());
        assert_eq!(told.load(Ordering::Relaxed), 0);
        let leases = [instance.lease(), instance.lease()];
        assert_eq!(instance.drain(), 2);
        let [first, second] = leases;
        drop(first);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        drop(second);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_instance_without_requests_is_drained_at_once() {
        let (instance, told) = instance();
        drop(instance.lease());
        assert_eq!(instance.drain(), 0);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_long_lived_does_not_count() {
        let (instance, told) = instance();
        let mut stream = instance.lease();
        stream.long_lived();
        stream.long_lived();
        assert_eq!(instance.drain(), 0);
        assert_eq!(told.load(Ordering::Relaxed), 1);
        drop(stream);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
