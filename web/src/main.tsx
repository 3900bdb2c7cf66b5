/* The shop: one document for all pages but the waiting room and the queue's record. */
import './design/font.css';
import './design/tokens.css';
import './design/base.css';
import { render } from 'preact';
import { App } from './app';
import { strings_load } from './strings/strings';

const root = document.getElementById('app');
const show = () => root && render(<App />, root);
strings_load().then(show, show);
