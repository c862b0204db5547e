//! What becomes of files.

use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;
use crate::jsonl::read;

/// A folder with a file in it.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        Place { folder, path }
    }

    fn with(name: &str, content: &str) -> Place {
        let place = Place::new(name);
        fs::write(&place.path, content).expect("a file");
        place
    }

    fn content(&self) -> Option<String> {
        fs::read_to_string(&self.path).ok()
    }

    /// What is in the folder, besides the file.
    fn left_over(&self) -> usize {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path() != self.path)).count()
    }

    fn told(&self, error: &WriteError) -> String {
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn write_both(writer: &mut Writer) -> Result<(), WriteError> {
    writer.write(&1)?;
    writer.write(&2)
}

#[test]
fn an_atomic_file_appears_when_it_is_finished() {
    let place = Place::new("numbers.jsonl");
    let mut writer = Writer::atomic(&place.path).expect("it can be created");
    write_both(&mut writer).expect("there is room");
    assert_eq!((place.content(), place.left_over()), (None, 1));
    let written = writer.finish().expect("there is room");
    assert_eq!(written, Written { lines: 2, bytes: 4 });
    assert_eq!((place.content().as_deref(), place.left_over()), (Some("1\n2\n"), 0));
}

#[test]
fn an_atomic_file_that_is_dropped_leaves_the_old_one() {
    for name in ["numbers.jsonl", "numbers.jsonl.gz", "numbers.jsonl.zst"] {
        let place = Place::with(name, "old");
        let mut writer = Writer::atomic(&place.path).expect("it can be created");
        writer = writer.with_flush(Flush::EveryLine);
        write_both(&mut writer).expect("there is room");
        drop(writer);
        assert_eq!((place.content().as_deref(), place.left_over()), (Some("old"), 0));
    }
}

#[test]
fn files_written_in_place_keep_their_lines() {
    let place = Place::with("numbers.jsonl", "old");
    let mut writer = Writer::append(&place.path).expect("it can be opened");
    write_both(&mut writer).expect("there is room");
    assert_eq!(place.content().as_deref(), Some("old\n1\n2\n"), "each line is flushed");
    drop(writer);
    let mut writer = Writer::append(&place.path).expect("it can be opened");
    writer = writer.with_flush(Flush::AtClose);
    write_both(&mut writer).expect("there is room");
    assert_eq!(place.content().as_deref(), Some("old\n1\n2\n"));
    drop(writer);
    assert_eq!(place.content().as_deref(), Some("old\n1\n2\n1\n2\n"));
    let mut writer = Writer::truncate(&place.path).expect("it can be opened");
    assert_eq!(place.content().as_deref(), Some(""));
    writer = writer.with_flush(Flush::Every(2));
    write_both(&mut writer).expect("there is room");
    assert_eq!(place.content().as_deref(), Some("1\n2\n"));
    writer.finish().expect("there is room");
    assert_eq!(place.content().as_deref(), Some("1\n2\n"));
}

#[test]
fn compressed_files_are_appended_to_if_they_are_whole() {
    for name in ["numbers.gz", "numbers.zst"] {
        let place = Place::new(name);
        for _ in 0..2 {
            let mut writer = Writer::append(&place.path).expect("it can be opened");
            write_both(&mut writer).expect("there is room");
            drop(writer);
        }
        let numbers: Vec<u8> = read(&place.path).collect::<Result<_, _>>().expect("it is whole");
        assert_eq!(numbers, [1, 2, 1, 2]);
        let bytes = fs::read(&place.path).expect("a file");
        let cut = &bytes[..bytes.len() - 1];
        fs::write(&place.path, cut).expect("a file");
        let error = Writer::append(&place.path).expect_err("it is cut off");
        assert!(matches!(error, WriteError::Unsound { .. }), "{error}");
        assert_eq!(fs::read(&place.path).expect("a file"), cut, "it is left alone");
    }
    let place = Place::new("numbers.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let bytes = std::io::Write::write_all(&mut encoder, b"1").and_then(|()| encoder.finish());
    fs::write(&place.path, bytes.expect("a vector")).expect("a file");
    drop(Writer::append(&place.path).and_then(|mut writer| writer.write(&2)));
    let numbers: Vec<u8> = read(&place.path).collect::<Result<_, _>>().expect("it is whole");
    assert_eq!(numbers, [1, 2], "the open line is ended first");
}

#[test]
fn a_refused_value_is_told_with_its_line_and_leaves_the_writer_sound() {
    let place = Place::new("numbers.jsonl");
    let limits = Limits { line_bytes_max: 10, ..Limits::default() };
    let mut writer = Writer::atomic(&place.path).expect("it can be created").with_limits(limits);
    writer.write(&1).expect("there is room");
    let error = writer.write(&[Some(0.5), Some(f64::NAN)]).expect_err("it is not finite");
    assert_snapshot!(place.told(&error), @"numbers.jsonl:2: `[1]` is NaN or infinite, which JSON can't carry; write an Option, a text or a sentinel of your own");
    let error = writer.write("longer than ten").expect_err("it is too long");
    assert!(matches!(error, WriteError::TooLong { line: 2, line_bytes_max: 10, .. }));
    assert_snapshot!(place.told(&error), @"numbers.jsonl:2: the value takes more than 10 bytes; raise `line_bytes_max` here and where the file is read");
    let deep = (0..200).fold(serde_json::json!(1), |value, _| serde_json::json!([value]));
    let mut writer = writer.with_limits(Limits::default());
    let error = writer.write(&deep).expect_err("it is too deep");
    assert!(matches!(error, WriteError::TooDeep { line: 2, .. }));
    assert_snapshot!(place.told(&error), @"numbers.jsonl:2: the value nests more than 127 levels deep");
    let error = writer.write(&std::collections::BTreeMap::from([([1], 1)])).expect_err("no key");
    assert!(matches!(error, WriteError::Unserializable { line: 2, .. }));
    assert_snapshot!(place.told(&error), @"numbers.jsonl:2: the value can't be serialized: key must be a string");
    writer.write(&2).expect("there is room");
    writer.finish().expect("there is room");
    assert_eq!(place.content().as_deref(), Some("1\n2\n"));
}

#[test]
fn what_can_not_be_replaced_is_refused_before_the_work() {
    let place = Place::with("file", "old");
    let error = Writer::atomic(place.folder.path()).expect_err("a folder");
    assert!(matches!(error, WriteError::NotAFile { .. }), "{error}");
    assert!(matches!(Writer::atomic(""), Err(WriteError::NotAFile { .. })));
    let below = Writer::atomic(place.path.join("numbers")).expect_err("a file is no folder");
    assert_snapshot!(place.told(&below), @"can't create `file/numbers`: Not a directory (os error 20); a part of the path is a file: check the path; nothing was replaced");
    let missing = place.folder.path().join("missing").join("numbers");
    let told = place.told(&Writer::atomic(&missing).expect_err("there is no folder"));
    assert!(told.starts_with("can't create `missing/numbers`: "), "{told}");
    assert!(told.ends_with("; check the path; nothing was replaced"), "{told}");
    let error = Writer::truncate(&missing).expect_err("there is no folder");
    assert_snapshot!(place.told(&error), @"can't open `missing/numbers`: No such file or directory (os error 2); check the path; nothing was replaced");
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let place = Place::with("file", "old");
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o640)).expect("ours");
    let link = place.folder.path().join("link");
    symlink(&place.path, &link).expect("a link");
    Writer::atomic(&link).and_then(Writer::finish).expect("there is room");
    assert_eq!(place.content().as_deref(), Some(""), "what the link points to was replaced");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&place.path), 0o640);

    let new = place.folder.path().join("new");
    Writer::atomic(&new).and_then(Writer::finish).expect("there is room");
    let usual = place.folder.path().join("usual");
    fs::write(&usual, "").expect("a file");
    assert_eq!(mode(&new), mode(&usual));
    assert!(matches!(Writer::atomic("/dev/null"), Err(WriteError::NotAFile { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_breaks_the_writer() {
    let mut writer = Writer::truncate("/dev/full").expect("it can be opened");
    assert_snapshot!(writer.write(&1).expect_err("it is full"), @"can't write `/dev/full`: No space left on device (os error 28); free space and run again; the file may end in half a line");
    assert!(matches!(writer.flush(), Err(WriteError::Broken { .. })));
    assert_snapshot!(writer.write(&2).expect_err("it is broken"), @"can't go on writing `/dev/full` after a failed write; start over");
    assert_snapshot!(writer.finish().expect_err("it is broken"), @"can't go on writing `/dev/full` after a failed write; start over");
}

#[test]
fn flushes_at_intervals_follow_the_clock() {
    let place = Place::new("numbers.jsonl");
    let mut writer = Writer::truncate(&place.path).expect("it can be opened");
    writer = writer.with_flush(Flush::Interval(std::time::Duration::ZERO));
    writer.write(&1).expect("there is room");
    assert_eq!(place.content().as_deref(), Some("1\n"));
    writer = writer.with_flush(Flush::Interval(std::time::Duration::MAX));
    writer.write(&2).expect("there is room");
    assert_eq!(place.content().as_deref(), Some("1\n"));
}
