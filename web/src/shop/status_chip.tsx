import type { SaleStatus } from '../base/types';
import { say } from '../strings/strings';

export function StatusChip({ status }: { status: SaleStatus }) {
  return <span class={`chip status-chip status-chip-${status.toLowerCase()}`}>{say(`status_${status}`)}</span>;
}
