import CheckpointIO
import Quant
import SIMDKernels
import TestSupport
import Tensors
import Testing

/// Reading quantized weights: sound ones exactly, and every defect under its own name.
@Suite struct LoaderTests {
    private static let defects: [String: CheckpointError.Code] = [
        "blob_extra_key": .quantState,
        "absmax_too_short": .quantAbsmax,
        "absmax_too_long": .quantAbsmax,
        "absmax_bf16_2d_transposed": .quantAbsmax,
        "absmax_negative": .quantAbsmax,
        "absmax_nan": .quantAbsmax,
        "absmax_missing": .quantAbsmax,
        "quant_map_missing": .quantMap,
        "quant_map_differs_from_table": .quantMap,
        "quant_map_8_entries": .quantMap,
        "packed_too_short": .quantShape,
        "packed_too_long": .quantShape,
        "shape_product_mismatch": .quantShape,
        "shape_negative": .quantShape,
        "shape_three_dims": .quantShape,
        "blocksize_48": .quantState,
        "blocksize_zero": .quantState,
        "blocksize_disagrees": .quantAbsmax,
        "dtype_unknown": .quantState,
        "dtype_float64": .quantState,
        "quant_type_disagrees_with_key": .quantState,
        "quant_type_int4": .quantState,
        "blob_not_json": .quantState,
        "blob_truncated": .quantState,
        "blob_missing": .quantState,
        "two_blobs": .quantState,
        "nested_keys_missing": .quantMap,
        "nested_offset_missing": .quantState,
        "nested_offset_nan": .quantState,
        "nested_blocksize_128": .quantState,
        "nested_absmax_u8_without_nested": .quantState,
        "nested_map_unsorted": .quantMap,
    ]

    private static func cases() throws -> [(id: String, path: String, isSound: Bool)] {
        let entries = try #require(
            try Golden.object("loader_cases.json")["cases"] as? [[String: Any]]
        )
        return try entries.map { entry in
            let id = try #require(entry["id"] as? String)
            let file = try #require(entry["file"] as? String)
            return (id, try Golden.url(file).path, entry["recommended"] as? String == "accept")
        }
    }

    @Test func judgesEveryFileOfTheCorpus() throws {
        let cases = try Self.cases()
        #expect(cases.count == 38)
        let soundPath = try #require(cases.first { $0.id == "sound" }).path
        let sound = try QuantizedMatrix("layer.weight", in: Checkpoint(at: soundPath))
        for (id, path, isSound) in cases {
            let checkpoint = try Checkpoint(at: path)
            guard !isSound else {
                let matrix = try QuantizedMatrix("layer.weight", in: checkpoint)
                #expect(matrix.rowCount == 24 && matrix.columnCount == 128, "\(id)")
                let isPlainNF4 = matrix.config == .nf4
                #expect(!isPlainNF4 || matrix == sound, "\(id)")
                #expect(CheckpointVerifier(checkpoint).byteCount > 0)
                #expect(try CheckpointVerifier(checkpoint).run().findings == [], "\(id)")
                continue
            }
            let code = try #require(Self.defects[id], "\(id)")
            let error = #expect(throws: CheckpointError.self, "\(id)") {
                try QuantizedMatrix("layer.weight", in: checkpoint)
            }
            #expect(error?.code == code, "\(id): \(String(describing: error))")
            #expect(error?.file?.hasSuffix(".safetensors") == true, "\(id)")
            #expect(error?.tensor != nil, "\(id)")
            let findings = try CheckpointVerifier(checkpoint).run().findings
            #expect(findings.first?.code == code, "\(id): \(findings)")
        }
    }

    @Test(arguments: ["nf4", "nf4_dq_tied_sharded", "int8", "fp4_f32_storage_skip"])
    func dequantizesGoldenModelsExactly(name: String) throws {
        let checkpoint = try Checkpoint(at: Golden.url("tiny_llama/\(name)").path)
        var count = 0
        for view in checkpoint.tensors where view.description.name.hasSuffix(".weight") {
            guard let stored = try StoredQuantization(view, in: checkpoint) else { continue }
            let matrix = try QuantizedMatrix(stored)
            let expected = Self.plainlyDequantized(matrix)
            #expect(matrix.dequantized().elements == expected, "\(view.description.name)")
            count += 1
        }
        #expect(count == (name.hasPrefix("fp4") ? 12 : 14))
    }

    /// The formulas of the layout, element by element.
    private static func plainlyDequantized(_ matrix: QuantizedMatrix) -> [Float] {
        let scales = matrix.absmax.values
        return (0..<matrix.rowCount).flatMap { row in
            (0..<matrix.columnCount).map { column in
                let code = matrix.code(row: row, column: column)
                let scale = scales[matrix.layout.scaleIndex(row: row, column: column)]
                if let values = matrix.config.format.codebook?.values {
                    return values[Int(code)] * scale
                }
                return Float(Int8(bitPattern: code)) * scale * Float(0.007874015718698502)
            }
        }
    }
}
