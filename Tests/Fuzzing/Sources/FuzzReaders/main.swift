import Foundation

/// The fuzzer's own loop; its library is linked by Scripts/fuzz.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

// Refused before the loop begins.
_ = Reader.chosen
var argumentCount = CommandLine.argc
var arguments = CommandLine.unsafeArgv
let status = runFuzzer(&argumentCount, &arguments) { start, count in
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    // Errors are what readers are for; traps and crashes are not.
    try? Reader.chosen.read(bytes)
    return 0
}
exit(status)
