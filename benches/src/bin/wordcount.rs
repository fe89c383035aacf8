//! `wordcount`: the system under test. `BENCH_WORKLOAD=direct|shuffle` chooses the app; everything else is said by
//! faust's own settings (`FAUST_ID`, `FAUST_BROKER`, `[topics]` …).

fn main() -> std::process::ExitCode {
    match std::env::var("BENCH_WORKLOAD").as_deref() {
        Ok("shuffle") => faust::main::<faust_benches::Shuffle>(),
        Ok("direct") => faust::main::<faust_benches::Direct>(),
        other => {
            eprintln!("BENCH_WORKLOAD is {other:?}: `direct` or `shuffle`");
            std::process::ExitCode::from(2)
        }
    }
}
