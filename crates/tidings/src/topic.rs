//! [`Topic`], [`Selector`] and [`Interest`]: what an event is about, and which events a reader wants.

use std::fmt;
use std::sync::Arc;

/// What an event is about: any text, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The topic with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Topic {
        Topic(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Topic {
    fn from(name: &str) -> Topic {
        Topic::new(name)
    }
}

impl From<String> for Topic {
    fn from(name: String) -> Topic {
        Topic::new(name)
    }
}

impl From<&Topic> for Topic {
    fn from(topic: &Topic) -> Topic {
        topic.clone()
    }
}

/// The topics of one event, usually one; no duplicates. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics(Arc<[Topic]>);

impl Topics {
    /// Several topics for one event. A reader who wants more than one of them still gets it once.
    pub fn several(topics: impl IntoIterator<Item = impl Into<Topic>>) -> Topics {
        let mut topics: Vec<Topic> = topics.into_iter().map(Into::into).collect();
        topics.sort();
        topics.dedup();
        Topics(topics.into())
    }

    /// The topics, sorted.
    pub fn as_slice(&self) -> &[Topic] {
        &self.0
    }
}

impl<T: Into<Topic>> From<T> for Topics {
    fn from(topic: T) -> Topics {
        Topics([topic.into()].into())
    }
}

/// One pattern of an [`Interest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Selector {
    /// Every topic.
    All,
    /// This topic.
    Exact(Topic),
}

impl Selector {
    /// Whether this matches the topic.
    pub fn matches(&self, topic: &Topic) -> bool {
        match self {
            Selector::All => true,
            Selector::Exact(wanted) => wanted == topic,
        }
    }
}

/// The topics that a reader subscribes to. Sorted, so that equal interests are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interest(Arc<[Selector]>);

impl Interest {
    /// Everything.
    pub fn all() -> Interest {
        Interest([Selector::All].into())
    }

    /// What any of the selectors matches.
    pub fn any_of(selectors: impl IntoIterator<Item = Selector>) -> Interest {
        let mut selectors: Vec<Selector> = selectors.into_iter().collect();
        selectors.sort();
        selectors.dedup();
        // `All` sorts first and includes the rest.
        if selectors.first() == Some(&Selector::All) {
            selectors.truncate(1);
        }
        Interest(selectors.into())
    }

    /// The selectors, sorted, each once.
    pub fn selectors(&self) -> &[Selector] {
        &self.0
    }

    /// Whether the reader wants the topic.
    pub fn wants(&self, topic: &Topic) -> bool {
        self.0.iter().any(|selector| selector.matches(topic))
    }

    /// Whether the reader wants an event about these topics.
    pub fn wants_any(&self, topics: &Topics) -> bool {
        topics.as_slice().iter().any(|topic| self.wants(topic))
    }
}

impl From<Topic> for Interest {
    fn from(topic: Topic) -> Interest {
        Interest([Selector::Exact(topic)].into())
    }
}

impl From<&Topic> for Interest {
    fn from(topic: &Topic) -> Interest {
        topic.clone().into()
    }
}

impl From<&str> for Interest {
    fn from(topic: &str) -> Interest {
        Topic::new(topic).into()
    }
}

impl From<String> for Interest {
    fn from(topic: String) -> Interest {
        Topic::new(topic).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_interests_are_equal_whatever_the_order() {
        let a = Selector::Exact("a".into());
        let b = Selector::Exact("b".into());
        assert_eq!(
            Interest::any_of([a.clone(), b.clone(), a.clone()]),
            Interest::any_of([b, a.clone()])
        );
        assert_eq!(Interest::any_of([a, Selector::All]), Interest::all());
    }

    #[test]
    fn an_event_is_wanted_for_any_of_its_topics() {
        let interest = Interest::from("a");
        assert!(interest.wants_any(&Topics::several(["b", "a"])));
        assert!(!interest.wants_any(&Topics::several(["b", "A"])));
        assert_eq!(Interest::from("a".to_owned()), interest);
        assert_eq!(Interest::from(&Topic::new("a")), interest);
        assert!(Interest::all().wants_any(&"x".into()));
        assert!(!Interest::any_of([]).wants(&"x".into()));
    }
}
