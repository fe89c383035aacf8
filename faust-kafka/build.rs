//! Compiles the C part: error codes as plain integers, and what needs librdkafka's internal headers:
//! the assignor, calls on a client's main thread, the first meeting with a broker, a look at a whole
//! batch of messages, and sending many records at once.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=shim");
    // Set by rdkafka-sys, which builds librdkafka from source: the headers are those of the very
    // library that is linked. With `dynamic-linking` or `cmake-build` there would be none, and
    // nothing to compile against.
    let Some(root) = env::var_os("DEP_RDKAFKA_ROOT") else {
        eprintln!(
            "faust-kafka needs librdkafka's source: build rdkafka-sys without `dynamic-linking` and `cmake-build`"
        );
        std::process::exit(1);
    };
    cc::Build::new()
        .file("shim/codes.c")
        .file("shim/assignor.c")
        .file("shim/calls.c")
        .file("shim/meeting.c")
        .file("shim/messages.c")
        .file("shim/produce.c")
        .include(PathBuf::from(root).join("src"))
        .warnings(false)
        .compile("faust_kafka_shim");
}
