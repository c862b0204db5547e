//! The built example as a program: where it is, what it is given, what comes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a run may take before it counts as hanging. Generous: it turns a hang into a message.
const DEADLINE: Duration = Duration::from_secs(120);

/// The results of an earlier run, to be found unchanged after one that failed.
const EARLIER: [(&str, &str); 2] =
    [("closure.jsonl", "earlier closures\n"), ("sections.jsonl", "earlier sections\n")];

/// The example, which `cargo test` builds beside its tests.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("a test lies in `deps` of its profile's folder");
    let program = profile.join("examples").join(format!("atlas{}", std::env::consts::EXE_SUFFIX));
    let release = if cfg!(debug_assertions) { "" } else { " --release" };
    assert!(
        program.exists(),
        "there is no {}: build it with `cargo build -p selvedge --example atlas{release}`",
        program.display()
    );
    program
}

/// The folder of the bundled sample.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/atlas/data/sample")
}

/// A folder of its own for one run: `data` to read from and `out` to write to.
pub(crate) struct Fixture(TempDir);

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(folder.path().join("data")).expect("there is room for a folder");
        fs::create_dir(folder.path().join("out")).expect("there is room for a folder");
        Fixture(folder)
    }

    /// With both streams.
    pub(crate) fn with(packages: impl AsRef<[u8]>, sizes: impl AsRef<[u8]>) -> Fixture {
        let fixture = Fixture::new();
        fixture.put("packages.jsonl", packages);
        fixture.put("sizes.jsonl", sizes);
        fixture
    }

    /// With this many packages that need nothing: a run that takes a while.
    pub(crate) fn with_many(n: u32) -> Fixture {
        let package = |n| {
            format!("{{\"package\":\"p{n}\",\"section\":\"s\",\"depends\":[],\"provides\":[]}}\n")
        };
        let size = |n| format!("{{\"package\":\"p{n}\",\"installed_size_kib\":1}}\n");
        let packages: String = (0..n).map(package).collect();
        Fixture::with(packages, (0..n).map(size).collect::<String>())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// Puts an input file in place.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.data().join(name), content).expect("there is room for a file");
    }

    /// Puts in place what an earlier run would have left.
    pub(crate) fn put_earlier_results(&self) {
        for (name, content) in EARLIER {
            fs::write(self.out().join(name), content).expect("there is room for a file");
        }
    }

    /// Nothing but what [`put_earlier_results`](Self::put_earlier_results) put is there.
    pub(crate) fn assert_earlier_results(&self) {
        for (name, content) in EARLIER {
            assert_eq!(self.result(name), content, "{name} is not what it was");
        }
        assert_eq!(self.results(), EARLIER.map(|(name, _)| name), "something was left behind");
    }

    /// The names in the folder of results.
    pub(crate) fn results(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out()).expect("the folder is there");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name());
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).expect("it can be read").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn result(&self, name: &str) -> String {
        fs::read_to_string(self.out().join(name)).expect("the result was written")
    }

    /// The atlas, to read from `data` and write to `out`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--data").arg(self.data()).arg("--out").arg(self.out()).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.end(&mut self.command(args))
    }

    /// Runs a command to its end.
    pub(crate) fn end(&self, command: &mut Command) -> Ran {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.wait(command.spawn().expect("the program can be started"))
    }

    /// Waits for a child that was started with both outputs piped.
    pub(crate) fn wait(&self, child: Child) -> Ran {
        let id = child.id();
        let (sender, ended) = crossbeam_channel::bounded(1);
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let output = ended.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            signal(id, rustix::process::Signal::KILL);
            panic!("the program hangs")
        });
        Ran::new(&output.expect("a child can be waited for"), self.0.path())
    }
}

/// What came of a run, with the fixture's folder written as `DIR`.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: &Output, folder: &Path) -> Ran {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).expect("what is printed is text");
            text.replace(&folder.display().to_string(), "DIR")
        };
        Ran {
            status: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The object that `--json` prints, when all went well.
    pub(crate) fn json(&self) -> Value {
        self.assert_success();
        serde_json::from_str(&self.stdout).expect("--json prints one JSON object")
    }

    pub(crate) fn assert_success(&self) {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
    }

    /// The status and the message of a run that failed.
    pub(crate) fn refusal(&self) -> String {
        assert_eq!(self.stdout, "", "a run that failed has no results to print");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "one clear message: {}", self.stderr);
        let status = self.status.expect("it ends by itself");
        assert_ne!(status, 0, "{}", self.stderr);
        format!("{status}: {}", self.stderr)
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, signal: rustix::process::Signal) {
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    // A child that has ended by itself can't be signalled any more, which is as good.
    let _ = rustix::process::kill_process(id.expect("a child has a number"), signal);
}

/// Looks again and again until there is something to see.
pub(crate) fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < DEADLINE, "waited too long for {what}");
        std::thread::yield_now();
    }
}
