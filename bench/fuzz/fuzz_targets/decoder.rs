#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| synapse_fuzz::targets::decoder(bytes));
