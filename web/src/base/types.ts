/* The API's documents, as docs/openapi.yaml has them: what the pages read of them. */

export type SaleStatus = 'SCHEDULED' | 'PRE_QUEUE' | 'ON_SALE' | 'PAUSED' | 'SOLD_OUT' | 'CLOSED';

export interface ShowBrief {
  show_id: string;
  event_name: string;
  start_time: string | null;
  on_sale_time: string | null;
  status: SaleStatus;
}

export interface Category {
  name: string;
  color: string;
  seats: number;
  available: number;
  amount: number;
  currency: string;
}

export interface Show extends ShowBrief {
  image: string | null;
  accent_color: string | null;
  hold_seconds: number;
  max_seats_per_user: number; /* 0: no limit */
  max_seats_per_reservation: number;
  payment_attempts: number;
  cancellation: { allowed: boolean; until_seconds: number };
  categories: Category[];
  plan: { name: string; hash: string; seats: number; href: string };
  waiting_room: {
    enabled: boolean;
    rate_per_minute: number;
    claim_seconds: number;
    pass_seconds: number;
    pre_queue_seconds: number;
    pre_queue_order: 'arrival' | 'shuffle';
  };
}

export type Point = [number, number];

export interface PlanSection {
  name: string;
  outline: Point[];
  first: number; /* in plan order */
  seats: number;
  rows: number;
  categories: number[];
}

export interface PlanArea {
  name: string;
  outline: Point[] | null;
  first: number;
  capacity: number;
  category: number;
}

/* GET …/plan?part=overview */
export interface PlanOverview {
  name: string;
  hash: string;
  focus: { x: number; y: number };
  seats: number;
  box: [number, number, number, number];
  categories: { name: string; color: string }[];
  sections: PlanSection[];
  areas: PlanArea[];
}

/* seat_id, number, x, y, index of its category, 1 where an aisle follows */
export type PlanSeat = [string, string, number, number, number, 0 | 1];

/* GET …/plan?part=N */
export interface PlanSectionRows {
  section: number;
  name: string;
  first: number;
  rows: { label: string; seats: PlanSeat[] }[];
}

export interface Reservation {
  reservation_id: string;
  expires_in_seconds: number;
  expires_at: string;
  now: string;
  seat_ids: string[];
  amount: number;
  currency: string;
  warnings?: { code: string; seat_ids: string[] }[];
}

export type BookingStatus = 'PENDING' | 'CONFIRMED' | 'CANCELLED';

export interface Booking {
  booking_id: string;
  show_id: string;
  status: BookingStatus;
  payment_state: 'NONE' | 'AUTHORIZED' | 'CAPTURED' | 'VOIDED' | 'REFUNDED' | 'REVIEW';
  seat_ids: string[];
  amount: number;
  refunded: number;
  currency: string;
  reason: string | null;
  confirmed_at: string | null;
}

/* GET …/reservations/{id} */
export interface ReservationState extends Omit<Reservation, 'warnings'> {
  status: 'HELD' | 'PAYING' | 'BOOKED';
  booking_id?: string;
}

/* GET …/bookings/{id}/tickets: a list of these */
export interface Ticket {
  seat_id: string;
  section: string | null;
  row: string | null;
  number: string | null;
  category: string | null;
  ticket_number: string;
}

/* application/problem+json */
export interface Problem {
  status: number;
  code: string;
  detail: string;
  seat_ids?: string[];
  attempts_left?: number;
  position?: number;
  serving?: number;
  retry_after_seconds?: number;
  pointer?: string;
  [member: string]: unknown;
}
