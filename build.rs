//! Tells the linker that Node-API symbols are found at load time.

fn main() {
    #[cfg(feature = "binding")]
    napi_build::setup();
}
