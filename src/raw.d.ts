// Files carried as text inside the bundle: the shell agent, the guest's init. Same `?raw` form in the bundler and in tests.
declare module '*?raw' {
  const text: string;
  export default text;
}
