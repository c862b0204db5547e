//! Events, topics, interests, digests and the facts an observer can be told.
