public import Machine
internal import SIMDKernels
internal import Tensors

extension PreparedWeight {
    /// Returns the weight as it is stored: exactly the codes and scales it was prepared from.
    public func quantizedMatrix() -> QuantizedMatrix {
        switch storage {
        case .canonical(let weight): weight.matrix
        case .packed(let packed):
            QuantizedMatrix(
                rowCount: rowCount,
                columnCount: columnCount,
                config: config,
                dtype: dtype,
                codes: packed.canonicalCodes(),
                absmax: packed.nestedScales.map(Absmax.doubleQuantized)
                    ?? .float32(packed.canonicalScales(layout))
            )
        }
    }

    private var layout: PackedLayout {
        PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
    }

    /// Returns `Σₖ W[j, k]²` for each row `j`, of values and scales that are not rounded again.
    ///
    /// - Parameter workers: the threads.
    /// - Returns: `N` numbers, the same bits for any number of threads.
    public func squaredRowNorms(on workers: WorkerPool = .shared()) -> [Double] {
        switch storage {
        case .packed(let packed):
            return workers.map(packed.panels.panelCount) { panel, _ in
                packed.squaredRowNorms(ofPanel: panel)
            }.joined().prefix(rowCount).map { $0 }
        case .canonical(let weight):
            return weight.squaredRowNorms(on: workers)
        }
    }
}

extension PreparedWeight.PackedCodes {
    fileprivate func canonicalCodes() -> [UInt8] {
        var canonical = [UInt8](repeating: 0, count: panels.canonicalByteCount)
        weight.codes.withBytes { packed in
            unsafe canonical.withUnsafeMutableBytes { bytes in
                var bytes = unsafe bytes.mutableBytes
                panels.unpack(packed, into: &bytes)
            }
        }
        return canonical
    }

    /// The scales of blocks, of which packing has copied each to where it is used.
    fileprivate func canonicalScales(_ layout: PackedLayout) -> [Float] {
        let groupsOfRow = panels.columnCount / panels.group
        let panelRows = PackedPanels.panelRowCount
        var result = [Float](repeating: 0, count: layout.scaleCount)
        weight.scales.withFloats(panels.scaleCount) { scales in
            for row in 0..<panels.rowCount {
                let (panel, lane) = row.quotientAndRemainder(dividingBy: panelRows)
                for group in 0..<groupsOfRow {
                    let block = layout.scaleIndex(row: row, column: group * panels.group)
                    result[block] = scales[(panel * groupsOfRow + group) * panelRows + lane]
                }
            }
        }
        return result
    }

    /// Sums of squares do not depend on the order in which a panel holds the columns of a group.
    fileprivate func squaredRowNorms(ofPanel panel: Int) -> [Double] {
        let panelRows = PackedPanels.panelRowCount
        let dwordsOfGroup = panels.group * panels.width.rawValue / 32
        let groups = panels.columnCount / panels.group
        let squares = squaresOfBytes()
        let unit = panels.width == .four ? 1.0 : 1.0 / 127
        return weight.codes.withBytes { codes in
            weight.scales.withFloats(panels.scaleCount) { scales in
                (0..<panelRows).map { lane in
                    var norm = 0.0
                    for group in 0..<groups {
                        var sum = 0.0
                        for dword in 0..<dwordsOfGroup {
                            let index = (panel * groups + group) * dwordsOfGroup + dword
                            let place = 4 * (index * panelRows + lane)
                            for byte in place..<place + 4 {
                                sum += squares[Int(codes.byte(at: byte))]
                            }
                        }
                        let index = (panel * groups + group) * panelRows + lane
                        let scale = Double(scales[index]) * unit
                        norm += scale * scale * sum
                    }
                    return norm
                }
            }
        }
    }

    /// What each byte of codes adds to a sum of squares.
    private func squaresOfBytes() -> [Double] {
        (0..<256).map { byte in
            guard let values = weight.values else { return Double((byte - 128) * (byte - 128)) }
            let (high, low) = (Double(values.values[byte >> 4]), Double(values.values[byte & 15]))
            return high * high + low * low
        }
    }
}
