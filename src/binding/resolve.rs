//! The function `resolvePython`. Mirrors `ts/native.ts`.

use napi::Env;
use napi::bindgen_prelude::{Error, Object, Result, Status};
use napi_derive::napi;

use crate::driver::resolve::{Resolve, ResolveOptions};

/// Which interpreter would be used: a promise of a JSON text, `{ ok }` or `{ failure }`. It keeps
/// Node up until it is settled.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub(super) fn resolve_python(env: &Env, spec: String) -> Result<Object<'_>> {
    let options: ResolveOptions = serde_json::from_str(&spec)
        .map_err(|error| Error::new(Status::InvalidArg, format!("resolve options: {error}")))?;
    let search = Resolve::new(options)
        .map_err(|error| Error::new(Status::GenericFailure, error.to_string()))?;
    // Last: a promise that is never settled would keep Node up for ever.
    let (deferred, promise) = env.create_deferred()?;
    search.run(move |text| deferred.resolve(move |_| Ok(text)));
    Ok(promise)
}
