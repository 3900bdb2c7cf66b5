/* The shop: one document for all pages but the waiting room and the queue's record. */
import './design/font.css';
import './design/tokens.css';
import './design/base.css';
import { render } from 'preact';
import './base/language';
import { App } from './app';

const root = document.getElementById('app');
if (root) render(<App />, root);
