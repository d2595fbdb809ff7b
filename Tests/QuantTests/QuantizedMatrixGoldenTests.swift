import CheckpointIO
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

/// Codes, scales and dequantized values against those of bitsandbytes, bit for bit.
@Suite struct QuantizedMatrixGoldenTests {
    private static let dtypes: [String: FloatDType] = [
        "F32": .float32, "BF16": .bfloat16, "F16": .float16,
    ]

    /// Quantizes the elements of a golden tensor, flattened.
    private func quantized(
        _ input: GoldenTensor,
        _ config: QuantizationConfig
    ) throws -> QuantizedMatrix {
        let dtype = try #require(Self.dtypes[input.dtype])
        let floats = FloatsInMemory(input.bytes, as: dtype)
        return try QuantizedMatrix(
            quantizing: floats,
            rowCount: 1,
            columnCount: floats.elementCount,
            using: config
        )
    }

    private func decoded(_ matrix: QuantizedMatrix, _ dtype: FloatDType) -> [UInt8] {
        var bytes = [UInt8](
            repeating: 0,
            count: matrix.rowCount * matrix.columnCount * dtype.byteCount
        )
        bytes.withMutableRawSpan { matrix.dequantize(into: &$0, as: dtype) }
        return bytes
    }

    @Test func quantizesFourBitBlocks() throws {
        let golden = try Golden.tensors("blockwise4bit.safetensors")
        let cases = try #require(
            Golden.object("blockwise4bit.json")["cases"] as? [[String: Any]]
        )
        var count = 0
        for entry in cases {
            let id = try #require(entry["id"] as? String)
            let type = try #require(entry["quant_type"] as? String)
            let size = try #require(entry["blocksize"] as? Int)
            let config = QuantizationConfig(
                try #require(QuantizationFormat(rawValue: type)),
                blockSize: try #require(BlockSize(rawValue: size))
            )
            let inputName = try #require(entry["input"] as? String)
            let absmaxName = try #require(entry["absmax"] as? String)
            let input = try #require(golden[inputName])
            let absmax = try #require(golden[absmaxName])
            let matrix = try quantized(input, config)
            let packed = golden[id + ".ref_gpu_packed"] ?? golden[id + ".cpu_packed"]
            #expect(matrix.codes == packed?.bytes, "\(id)")
            #expect(matrix.absmax.values.map(\.bitPattern) == absmax.words, "\(id)")
            // The reference's own output for its own codes, which differ in the sign of zeros.
            let output = try #require(golden[id + ".cpu_dequant"])
            let theirs = QuantizedMatrix(
                rowCount: 1,
                columnCount: matrix.columnCount,
                config: config,
                dtype: matrix.dtype,
                codes: try #require(golden[id + ".cpu_packed"]).bytes,
                absmax: matrix.absmax
            )
            let dtype = try #require(Self.dtypes[output.dtype])
            #expect(
                Self.floats(decoded(theirs, dtype), dtype) == Self.floats(output.bytes, dtype),
                "\(id)"
            )
            count += 1
        }
        #expect(count == 44)
    }

    @Test func quantizesSpecialValues() throws {
        let golden = try Golden.tensors("special4bit.safetensors")
        let cases = try #require(try Golden.object("special4bit.json")["cases"] as? [[String: Any]])
        var count = 0
        for entry in cases {
            let id = try #require(entry["id"] as? String)
            let input = try #require(golden[id + ".input"])
            guard input.floats.allSatisfy(\.isFinite) else {
                let error = try expectError(.numNonFinite) { try quantized(input, .nf4) }
                #expect(error.message.contains("element"))
                continue
            }
            for format in [QuantizationFormat.nf4, .fp4] {
                let matrix = try quantized(input, QuantizationConfig(format))
                let absmax = golden["\(id).ref_gpu_absmax"] ?? golden["\(id).cpu_absmax"]
                let packed =
                    golden["\(id).\(format).ref_gpu_packed"] ?? golden["\(id).\(format).cpu_packed"]
                guard let absmax, let packed else { continue }
                // What the reference does with these is written down, not followed.
                guard matrix.absmax.values.allSatisfy({ $0 >= 1.2e-38 }) else { continue }
                #expect(matrix.codes == packed.bytes, "\(id) \(format)")
                #expect(matrix.absmax.values.map(\.bitPattern) == absmax.words, "\(id) \(format)")
                count += 1
            }
        }
        #expect(count >= 20)
    }

    @Test func givesZeroBlocksTheCodeOfZero() throws {
        let zeros = Matrix(rowCount: 3, columnCount: 43)
        let nf4 = try zeros.quantized(using: .nf4)
        #expect(nf4.codes.allSatisfy { $0 == 0x77 })
        #expect(nf4.absmax.values.allSatisfy { $0 == 0 })
        #expect(try zeros.quantized(using: QuantizationConfig(.fp4)).codes.allSatisfy { $0 == 0 })
        #expect(nf4.dequantized() == zeros)
    }

    @Test func quantizesEightBitBlocks() throws {
        let golden = try Golden.tensors("blockwise8bit.safetensors")
        let cases = try #require(
            try Golden.object("blockwise8bit.json")["cases"] as? [[String: Any]]
        )
        let maps: [String: Codebook] = [
            "dynamic_signed": .dynamicSigned, "dynamic_unsigned": .dynamicUnsigned,
            "linear_signed": .linearSigned, "linear_unsigned": .linearUnsigned,
        ]
        for entry in cases {
            let id = try #require(entry["id"] as? String)
            let mapName = try #require(entry["map"] as? String)
            let map = try #require(maps[mapName])
            let blockSize = try #require(entry["blocksize"] as? Int)
            let input = try #require(golden[id + ".input"])
            let dtype = try #require(Self.dtypes[input.dtype])
            let exact = try #require(golden[id + ".ref_exact_codes"])
            let absmax = try #require(golden[id + ".absmax"])
            let codebook = Codebook8Bit(values: map.values)
            var codes = [UInt8](repeating: 0, count: exact.bytes.count)
            var scales = [Float](repeating: 0, count: absmax.words.count)
            input.bytes.withRawSpan { input in
                codes.withMutableRawSpan { codes in
                    scales.withMutableFloatSpan { scales in
                        Quantize8BitKernel.selected.quantize(
                            input,
                            as: dtype,
                            blockSize: blockSize,
                            codebook: codebook,
                            codes: &codes,
                            absmax: &scales
                        )
                    }
                }
            }
            #expect(codes == exact.bytes, "\(id)")
            #expect(scales.map(\.bitPattern) == absmax.words, "\(id)")
            let theirs = try #require(golden[id + ".cpu_codes"])
            let output = try #require(golden[id + ".cpu_dequant"])
            var decoded = [UInt8](repeating: 0, count: output.bytes.count)
            theirs.bytes.withRawSpan { codes in
                scales.withFloatSpan { scales in
                    decoded.withMutableRawSpan { decoded in
                        Dequantize8BitKernel.selected.dequantize(
                            codes: codes,
                            absmax: scales,
                            blockSize: blockSize,
                            values: codebook,
                            into: &decoded,
                            as: dtype
                        )
                    }
                }
            }
            #expect(decoded == output.bytes, "\(id)")
        }
    }

    @Test func nestsScales() throws {
        let golden = try Golden.tensors("nested_absmax.safetensors")
        let cases = try #require(
            try Golden.object("nested_absmax.json")["cases"] as? [[String: Any]]
        )
        for entry in cases {
            let id = try #require(entry["id"] as? String)
            let scales = try #require(golden[id + ".absmax"]).floats
            let offset = Float(try #require(entry["nested_offset"] as? Double))
            let nested = DoubleQuantizedAbsmax(quantizing: scales)
            #expect((nested.offset - offset).magnitude <= 2 * offset.ulp, "\(id)")
            let theirs = DoubleQuantizedAbsmax(
                codes: try #require(golden[id + ".cpu_absmax_codes"]).bytes,
                absmax: try #require(golden[id + ".nested_absmax"]).floats,
                offset: offset
            )
            let restored = try #require(golden[id + ".cpu_absmax_restored"])
            #expect(theirs.restored().map(\.bitPattern) == restored.words, "\(id)")
            // Codes are exact where the mean is the same.
            if nested.offset == offset {
                #expect(
                    nested.codes == golden[id + ".ref_exact_absmax_codes"]?.bytes,
                    "\(id)"
                )
            }
        }
    }

    @Test func quantizesRowsToInt8() throws {
        let golden = try Golden.tensors("int8_vectorwise.safetensors")
        for id in ["w0", "w1", "w2"] {
            let weight = try #require(golden[id + ".weight"])
            let dtype = try #require(Self.dtypes[weight.dtype])
            let matrix = try QuantizedMatrix(
                quantizing: FloatsInMemory(weight.bytes, as: dtype),
                rowCount: weight.shape[0],
                columnCount: weight.shape[1],
                using: QuantizationConfig(.int8Vectorwise)
            )
            #expect(matrix.codes == golden[id + ".CB"]?.bytes, "\(id)")
            #expect(matrix.absmax.values.map(\.bitPattern) == golden[id + ".SCB"]?.words, "\(id)")
            #expect(
                decoded(matrix, .float32) == golden[id + ".cpu_dequant_f32"]?.bytes,
                "\(id)"
            )
        }
    }

    /// The elements widened; -0 and 0 are equal.
    private static func floats(_ bytes: [UInt8], _ dtype: FloatDType) -> [Float] {
        ReferenceFloat.values(in: bytes, as: dtype)
    }
}
