export interface BasketLine {
  sku: string
  quantity: number
  heldPrice: number
}

/** 金额以分为单位。 */
export function total(lines: BasketLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.heldPrice, 0)
}

export function withQuantity(lines: BasketLine[], sku: string, quantity: number): BasketLine[] {
  return lines
    .map((line) => (line.sku === sku ? { ...line, quantity } : line))
    .filter((line) => line.quantity > 0)
}
