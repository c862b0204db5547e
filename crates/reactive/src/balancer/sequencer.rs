//! Owns `Sequencer`: the numbers of items, 0, 1, 2, …, that can go on after a restart.

use std::fmt;
use std::sync::Arc;

use selvedge_store::{Durability, Store};

use super::BalancerError;

/// Numbers that are reserved in the store at once: one write for so many items.
const RESERVED: u64 = 1_024;

/// Numbers items. With a record in a store it goes on where it was [closed](Self::close); after a
/// crash it leaves some numbers out, and none comes twice.
#[derive(Default)]
pub struct Sequencer {
    next: u64,
    /// Numbers below this one may be given without a write.
    reserved: u64,
    record: Option<Record>,
}

struct Record {
    store: Arc<dyn Store>,
    namespace: String,
    key: String,
}

impl Sequencer {
    /// From zero, in every run.
    #[must_use]
    pub fn new() -> Sequencer {
        Sequencer::default()
    }

    /// From where the record of this key in a store's namespace says; from zero if there is none.
    ///
    /// # Errors
    ///
    /// The store failed, or the record is no number.
    pub fn persistent(
        store: Arc<dyn Store>,
        namespace: &str,
        key: &str,
    ) -> Result<Sequencer, BalancerError> {
        let bytes = store.get(namespace, key.as_bytes()).map_err(BalancerError::Store)?;
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        let next = match bytes.map(|bytes| <[u8; 8]>::try_from(bytes.as_slice())) {
            None => 0,
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(BalancerError::Record { namespace, key }),
        };
        let record = Some(Record { store, namespace, key });
        Ok(Sequencer { next, reserved: next, record })
    }

    /// The number that the next item will have.
    #[must_use]
    pub fn upcoming(&self) -> u64 {
        self.next
    }

    /// Gives no number below this one.
    pub(super) fn begin_at(&mut self, first: u64) {
        self.next = self.next.max(first);
    }

    /// The next item's number.
    ///
    /// # Errors
    ///
    /// The store failed. No number is given then.
    pub fn tag(&mut self) -> Result<u64, BalancerError> {
        if let Some(record) = &self.record
            && self.next >= self.reserved
        {
            record.write(self.next + RESERVED)?;
            self.reserved = self.next + RESERVED;
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Gives back the numbers that were reserved and not used.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub fn close(&mut self) -> Result<(), BalancerError> {
        if let Some(record) = &self.record {
            record.write(self.next)?;
            self.reserved = self.next;
        }
        Ok(())
    }
}

impl Record {
    fn write(&self, next: u64) -> Result<(), BalancerError> {
        let Record { store, namespace, key } = self;
        store
            .put(namespace, key.as_bytes(), &next.to_be_bytes(), Durability::Group)
            .map_err(BalancerError::Store)
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use selvedge_store::Memory;

    use super::*;

    fn tags(sequencer: &mut Sequencer, n: usize) -> Vec<u64> {
        (0..n).map(|_| sequencer.tag().unwrap()).collect()
    }

    #[test]
    fn numbers_go_on_after_a_restart_and_never_come_twice() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let opened = || Sequencer::persistent(Arc::clone(&store), "balance", "tiles").unwrap();
        let mut first = opened();
        assert_eq!(tags(&mut first, 3), [0, 1, 2]);
        first.close().unwrap();
        let mut second = opened();
        assert_eq!(tags(&mut second, 2), [3, 4]);
        drop(second); // It crashes.
        assert_eq!(opened().tag().unwrap(), 3 + RESERVED);
        assert_eq!(tags(&mut Sequencer::new(), 2), [0, 1]);
    }

    #[test]
    fn many_numbers_take_few_writes() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let mut sequencer = Sequencer::persistent(Arc::clone(&store), "balance", "tiles").unwrap();
        assert_eq!(tags(&mut sequencer, 5_000), (0..5_000).collect::<Vec<_>>());
        assert_eq!(sequencer.reserved, 5 * RESERVED);
    }

    #[test]
    fn a_record_that_is_no_number_is_refused() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        store.put("balance", b"tiles", b"seven", Durability::None).unwrap();
        let error = Sequencer::persistent(Arc::clone(&store), "balance", "tiles").unwrap_err();
        assert!(matches!(error, BalancerError::Record { .. }));
        let long = "x".repeat(300);
        let mut unwritable = Sequencer::new();
        unwritable.record = Some(Record { store, namespace: long, key: "tiles".to_owned() });
        let error = unwritable.tag().unwrap_err();
        assert!(matches!(error, BalancerError::Store(_)));
        assert_eq!(unwritable.upcoming(), 0);
    }
}
