/// The number of consecutive elements that share one scale, in 4-bit formats.
public enum BlockSize: Int, Sendable, Hashable, CaseIterable {
    case b32 = 32
    case b64 = 64
    case b128 = 128
    case b256 = 256
    case b512 = 512
    case b1024 = 1024
    case b2048 = 2048
    case b4096 = 4096
}
