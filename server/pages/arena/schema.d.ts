// The types of the game "arena", for `join<Arena>` of @tickwire/client.
// Printed by `tickwire schema arena --ts`.

export interface Ship {
  player: number;
  x: number;
  y: number;
  heading: number;
  thrust: boolean;
  safe: boolean;
  hp: number;
}

export interface Shot {
  player: number;
  x: number;
  y: number;
  vx: number;
  vy: number;
  until: number;
}

export interface Rock {
  x: number;
  y: number;
  vx: number;
  vy: number;
  size: number;
}

export interface Score {
  player: number;
  name: string;
  points: number;
  kills: number;
  deaths: number;
  away: boolean;
}

export interface Gear {
  vx: number;
  vy: number;
  ammo: number;
  ready_at: number;
  reload_at: number;
  safe_until: number;
  launch_at: number;
}

export interface Arena {
  tables: {
    ships: Ship;
    shots: Shot;
    rocks: Rock;
    scores: Score;
    gear: Gear;
  };
  input: {
    turn: number;
    thrust: boolean;
    fire: boolean;
  };
  commands: {
    rename: { name: string };
  };
  reply: { $: "renamed"; name: string };
  events: {
    fired: { $: "fired"; player: number };
    explosion: { $: "explosion"; x: number; y: number; size: number };
    kill: { $: "kill"; killer: { player: number; name: string } | null; victim: { player: number; name: string } };
    won: { $: "won"; who: { player: number; name: string } };
  };
}
