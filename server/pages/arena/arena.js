/** The page follows. */
export {};
