//! Owns nodes that another program computes: JSON in, JSON out.

use anyhow::Result;
use selvedge_event::Digest;
use selvedge_runtime::subprocess::Program;
use selvedge_sync::thread;

use super::{Executor, Work};
use crate::input::Inputs;
use crate::spec::{NodeSpec, foreign};
use crate::value::Value;

/// Another program, for code that is not trusted or not in Rust: it is started for each node that
/// is due, reads the inputs from its standard input as a [JSON array](Work::inputs_json), and
/// writes what the node makes as JSON to its standard output. It is killed, with all that it has
/// started, when the run is called off or given up, or the node has used up its time.
#[derive(Clone, Debug)]
pub struct Subprocess(Program);

impl Subprocess {
    /// This program, within its limits.
    #[must_use]
    pub fn new(program: Program) -> Subprocess {
        Subprocess(program)
    }
}

impl Executor for Subprocess {
    fn execute(&self, work: Work) -> Result<()> {
        let program = self.0.clone();
        drop(thread::spawn("selvedge-subprocess", move || converse(&program, work))?);
        Ok(())
    }

    fn execute_here(&self, work: Work) {
        converse(&self.0, work);
    }
}

fn converse(program: &Program, work: Work) {
    let answer = || -> Result<Vec<u8>> {
        let running = program.start(work.inputs_json()?)?;
        let stopper = running.stopper();
        work.on_stop(move || stopper.stop());
        Ok(running.wait()?.output)
    };
    match answer() {
        Ok(json) => work.answer_json(&json),
        Err(error) => work.fail(error),
    }
}

/// A node that another program computes: it is given the inputs as a JSON array, and answers with
/// what the node makes. Its arguments are part of the node's signature; what the program itself is
/// is not, so that one that is `cached` declares a [`version`](NodeSpec::version).
///
/// ```
/// use selvedge_flow::{Flow, Request, program};
/// use selvedge_runtime::subprocess::Program;
///
/// let mut flow = Flow::builder("letters");
/// let word = flow.parameter_or("word", "rose".to_owned());
/// let upper = Program::new("tr").args(["a-z[]", "A-Z  "]);
/// let upper = flow.add("upper", program::<_, String>((word,), upper));
/// assert_eq!(flow.build()?.run(Request::new())?.value(upper)?, "ROSE");
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn program<I: Inputs, T: Value>(inputs: I, program: Program) -> NodeSpec<T> {
    let argv: Vec<_> = program.argv().map(|arg| arg.to_string_lossy().into_owned()).collect();
    // Texts have digests.
    foreign(inputs).constant(Digest::of(&argv).ok()).runs_on(Subprocess::new(program))
}
