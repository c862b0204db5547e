//! Values in a real store: after erasing and compacting, no file has them.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use selvedge_event::Digest;
use selvedge_lineage::{HeldValues, History, Options, Record, Retention, Run, Timestamp};
use selvedge_store::{ContentStore, Durability, Durable, OsDisk};

use super::model::{run_id, signature};

/// Whether any file of a folder has these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let found = std::fs::read(&path).unwrap();
        found.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn what_was_erased_is_in_no_file_after_compacting() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let small = b"the small secret of the third till".as_slice();
    let large: Vec<u8> = b"a large secret, told again and again; ".repeat(4_000);
    let kept = b"what everybody may know about tills".as_slice();
    let digests: Vec<Digest> =
        [small, &large, kept].iter().map(Digest::of).collect::<Result<_, _>>()?;
    {
        let store = Arc::new(Durable::open(folder.path())?);
        let disk = Arc::new(OsDisk::new(folder.path())?);
        let content = Arc::new(ContentStore::new(store.clone(), disk));
        let values = HeldValues::durable(Arc::clone(&content), Arc::clone(&store));
        let history = History::open(store, Options::default(), Timestamp::default())?;
        let step =
            |run: u8, made: &Digest| Record::new(run_id(run), "tell", signature(0)).output(*made);
        for (digest, bytes) in digests.iter().zip([small, &large, kept]) {
            values.keep(digest, bytes, Durability::Group)?;
        }
        history.begin_run(Run::new(run_id(0), "tills", Timestamp::default()))?;
        history.append(digests.iter().map(|digest| step(0, digest)).collect())?;
        history.scrub(&digests[0], "asked to", Timestamp::default(), &values)?;
        history.scrub(&digests[1], "asked to", Timestamp::default(), &values)?;
        history.compact(&values)?;
        assert_eq!(content.get(&digests[2])?.as_deref(), Some(kept));
    }
    // The engine is made anew by the next open.
    let store = Arc::new(Durable::open(folder.path())?);
    let history = History::open(Arc::clone(&store) as _, Options::default(), Timestamp::default())?;
    assert!(history.erased(&digests[0])?.is_some());
    assert!(!holds(folder.path(), small), "the small one");
    assert!(!holds(folder.path(), &large[..60]), "the large one");
    assert!(holds(folder.path(), kept), "this test would tell");
    let disk = Arc::new(OsDisk::new(folder.path())?);
    let content = Arc::new(ContentStore::new(store.clone(), disk));
    let values = HeldValues::durable(Arc::clone(&content), store);
    values.keep(&digests[2], kept, Durability::Group)?;
    assert_eq!(content.n_references(&digests[2])?, 1, "counted once over restarts");
    let plan = history.plan_retention(&Retention::new().last(0), Timestamp::default())?;
    assert_eq!(history.remove(&plan, &values)?.n_values, 1);
    assert_eq!(content.get(&digests[2])?, None);
    Ok(())
}
